"""The words of the language, and the names of the C and C++ libraries, whose headers are not read."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BUILTIN = _words("void bool char short int long signed unsigned float double wchar_t char16_t char32_t auto")
QUALIFIERS = _words("const volatile")
SPECIFIERS = _words(
    "static const constexpr inline extern virtual explicit friend mutable volatile register thread_local"
)
CASTS = _words("static_cast const_cast reinterpret_cast dynamic_cast")
KEYWORDS = (
    BUILTIN
    | SPECIFIERS
    | CASTS
    | _words(
        "alignas alignof asm break case catch class continue decltype default delete do else enum export false for "
        "goto if namespace new noexcept nullptr operator private protected public return sizeof static_assert struct "
        "switch template this thread_local throw true try typedef typeid typename union using while and or not xor "
        "bitand bitor compl and_eq or_eq xor_eq not_eq"
    )
)
PREFIX = _words("+ - ! ~ * & ++ -- not compl")
BINARY = _words(
    "+ - * / % & | ^ && || == != < > <= >= = += -= *= /= %= &= |= ^= << <<= ? and or xor bitand bitor not_eq "
    "and_eq or_eq xor_eq"
)
OPERATORS = _words(
    "( [ + - * / % & | ^ ~ ! = < > += -= *= /= %= &= |= ^= << <<= == != <= >= && || ++ -- -> , new delete"
)

LIBRARIES = _words("std hls")  # what lies in these namespaces is not looked up
_TEMPLATES = _words("ap_fixed ap_ufixed ap_int ap_uint ap_fixed_base ap_int_base ap_range_ref ap_shift_reg")
MACROS = _words("DIV_ROUNDUP MIN MAX STRINGIFY EXPAND_STRING")  # those with parameters are left in place
C_FUNCTIONS = _words(
    "abs acos asin assert atan atan2 atof atoi ceil cos cosh exit exp exp2 fabs fclose feof fgets floor "
    "fmax fmin fmod fopen fprintf fputs fread free fscanf fwrite getenv isinf isnan log log10 log2 lrint "
    "malloc memcpy memset perror pow printf putchar puts rand remainder rint round scanf sin sinh "
    "snprintf sprintf sqrt srand sscanf strcat strcmp strcpy strlen strtod strtol system tan tanh time "
    "trunc abort calloc expf logf powf sqrtf fabsf tanhf sinf cosf floorf ceilf roundf fminf fmaxf lround "
    "ldexp frexp erf cbrt hypot usleep fflush acosh asinh atanh atan2f acosf asinf atanf coshf sinhf "
    "exp2f expm1 expm1f log1p log1pf log2f log10f fma fmaf fmodf nearbyint nearbyintf rintf truncf "
    "copysign copysignf remquo modf lgamma tgamma erfc signbit isfinite isnormal labs llabs lroundf "
    "llround lrintf llrint div qsort bsearch realloc strncpy strncmp strncat strchr strrchr strstr strtok "
    "strtof strtoul strtoll strtoull atol memcmp memmove memchr tolower toupper isspace isdigit isalpha "
    "isalnum fputc fgetc getc putc getchar gets fseek ftell rewind remove rename vprintf vfprintf "
    "vsnprintf vsprintf va_start va_end va_arg va_copy clock difftime localtime strftime"
)
_TYPES = re.compile(
    r"u?int(_fast|_least)?(8|16|32|64)_t|u?intptr_t|s?size_t|ptrdiff_t|FILE|time_t|half|ap_[qo]_mode|va_list|clock_t|u?intmax_t|w(char|int)_t|max_align_t|l?l?div_t|tm"
)
_VALUES = re.compile(
    r"AP_\w+|[A-Z]+_(MAX|MIN|EPSILON|DIG)|M_\w+|NULL|INFINITY|NAN|HUGE_VAL|EOF|std(in|out|err)|EXIT_\w+|RAND_MAX|SEEK_\w+|errno|"
    r"__(FILE|LINE|func|FUNCTION|PRETTY_FUNCTION|cplusplus)(__)?|SC_\w+"
)


_STREAMS = _words("cout cerr clog cin")
_ALGORITHMS = _words(
    "endl flush max min swap move forward copy fill sort reverse accumulate find count all_of any_of none_of for_each "
    "transform to_string stoi stol stof stod getline make_pair make_tuple make_unique make_shared get tie iota"
)


def standard_kind(name: str) -> str:
    """What a name in a library's namespace is, where that is certain; else "?"."""
    return "value" if name in _STREAMS else "function" if name in C_FUNCTIONS | _ALGORITHMS else "?"


def library_kind(name: str) -> str | None:
    """What a name of the libraries is: "?" if that cannot be told, None if they have none such."""
    if name in LIBRARIES:
        return "library"
    if name in _TEMPLATES:
        return "template"
    if _TYPES.fullmatch(name):
        return "type"
    if name in C_FUNCTIONS:
        return "function"
    if _VALUES.fullmatch(name):
        return "value"
    return "?" if name.startswith(("ap_", "__builtin_")) else None
