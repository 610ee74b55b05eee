"""C++ that users put into the headers of a project, beside what the network needs."""

from __future__ import annotations

HEADERS = """
#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>
"""

CONSTRUCTS = {
    "constexpr_if": r"""
template <int n> int f0() { if constexpr (n > 3) { return 1; } else { return 2; } }
""",
    "enum_class": r"""
enum class Mode : unsigned { one, two = 2, three, }; inline int f1(Mode m) { return m == Mode::one ? 1 :
static_cast<int>(m); }
""",
    "using_alias": r"""
template <class T> using pointer_to = T *; using number = int; inline number f2(pointer_to<number> p) {
return *p; }
""",
    "static_assert": r"""
static_assert(sizeof(int) == 4, "int" " is four"); inline void f3() { static_assert(true, "yes"); }
""",
    "static_assert_1": r"""
static_assert(sizeof(int) >= 2);
""",
    "lambda": r"""
inline int f4(int a) { auto g = [&a](int b) -> int { return a + b; }; auto h = [=]() mutable { a += 1;
return a; }; return g(1) + h() + [] { return 3; }(); }
""",
    "generic_lambda": r"""
inline int f5() { auto g = [x = 3](auto a, auto... rest) { return a + x; }; return g(1, 2); }
""",
    "range_for": r"""
inline int f6() { int v[3] = {1, 2, 3}; int s = 0; for (const auto &x : v) s += x; for (int x : {1, 2}) {
s += x; } return s; }
""",
    "structured": r"""
struct Pair { int a, b; }; inline int f7(Pair p) { auto [x, y] = p; const auto &[u, w] = p; return x + y +
u + w; }
""",
    "structured_range": r"""
struct Pair2 { int a, b; }; inline int f8() { Pair2 v[2] = {}; int s = 0; for (auto &[a, b] : v) { s += a
* b; } return s; }
""",
    "variadic": r"""
inline int sum() { return 0; } template <class T, class... Ts> int sum(T a, Ts... rest) { return a +
sum(rest...) + (int)sizeof...(Ts); }
""",
    "fold": r"""
template <class... Ts> int folded(Ts... v) { return (v + ... + 0); } template <class... Ts> int
folded2(Ts... v) { return (0 + ... + v); } template <class... B> bool all(B... b) { return (... && b); }
""",
    "defaults": r"""
inline int f9(int a, int b = 3 + 1, const char *c = "x" "y") { return a + b; }
""",
    "nested_ns": r"""
namespace outer::inner { inline int f() { return 1; } } inline int f10() { return outer::inner::f(); }
""",
    "inline_var": r"""
inline int counter = 0; inline constexpr double ratio = 1e-3; struct K { static inline int n = 4; };
""",
    "decltype2": r"""
inline int f11b(int a) { decltype(a) b = a; decltype(a + 1.0) c = b; return b + (int)c; } template <class
A, class B> auto add(A a, B b) -> decltype(a + b) { return a + b; }
""",
    "decltype_auto": r"""
inline decltype(auto) f12(int &a) { return (a); } inline auto f12b() { return 3; }
""",
    "friend": r"""
class Owner { friend class Other; friend struct Third; template <class T> friend class Fourth; friend int
peek(const Owner &o) { return o.n; } friend bool operator==(const Owner &a, const Owner &b) { return a.n
== b.n; } int n = 0; };
""",
    "operators": r"""
struct Vec { float x; Vec &operator+=(const Vec &o) { x += o.x; return *this; } Vec operator-() const {
return Vec{-x}; } float &operator[](int) { return x; } float operator()(int a, int b) const { return x * a
* b; } explicit operator bool() const { return x != 0; } operator float() const { return x; } Vec
operator++(int) { Vec t = *this; x++; return t; } Vec &operator=(const Vec &) = default; bool
operator<(const Vec &o) const { return x < o.x; } }; inline Vec operator+(Vec a, const Vec &b) { return a
+= b; } inline std::ostream &operator<<(std::ostream &os, const Vec &v) { return os << v.x; }
""",
    "pragmas": r"""
inline int f13(int a) {
#pragma HLS INLINE
    int v[4] = {0,
#pragma HLS ARRAY_PARTITION variable=v complete
 1, 2, 3};
    for (int i = 0; i < 4; i++)
#pragma HLS UNROLL
        v[i] += a;
    if (a)
    #pragma HLS PIPELINE
    { a = 1; }
    return v[0];
}
""",
    "pragma_between": r"""
#pragma HLS INTERFACE ap_none port=x
template <class T>
#pragma HLS DATAFLOW
T f13b(T a) { return a; }
""",
    "string_cat": r"""
inline const char *f14() { return "a" "b\n" "c\""; }
""",
    "hex": r"""
inline unsigned f15() { return 0xFFu + 0x1F + 017 + 0XabcUL + 10ull + 5LL; }
""",
    "binary": r"""
inline int f17() { return 0b1010 | 0B11u; }
""",
    "floats": r"""
inline double f18() { return 1. + .5f + 1e3 + 1E-3L + 2.5e+3f + 3.f; }
""",
    "hexfloat": r"""
inline double f18b() { return 0x1.8p3 + 0x1p-2; }
""",
    "casts": r"""
inline float f19(const void *p, int a) { unsigned u = (unsigned)a; unsigned long l = (unsigned long)a;
float f = float(a); const float *q = reinterpret_cast<const float *>(p); float *r = const_cast<float
*>(q); char c = (char)(a & 0xff); return f + *r + (float)-a + u + l + c + (float)(a) * 2; }
""",
    "ternaries": r"""
inline int f20(int a, int b) { return a ? b ? 1 : 2 : a > b ? 3 : (a < b ? 4 : 5); }
""",
    "comma": r"""
inline int f21(int a, int b) { int i, j; for (i = 0, j = 10; i < j; i++, j--) { a += i, b -= j; } return
(a, b); }
""",
    "maybe_unused": r"""
inline int f22([[maybe_unused]] int a) { [[maybe_unused]] int b = 3; return 1; } [[nodiscard]] inline int
f22b() { return 1; } [[deprecated("old")]] inline void f22c() {} [[noreturn]] inline void f22d() { throw
1; }
""",
    "attr_class": r"""
struct [[nodiscard]] Att { [[maybe_unused]] int a; int b [[maybe_unused]]; }; enum class [[nodiscard]]
AttE { a };
""",
    "fallthrough": r"""
inline int f23(int a) { switch (a) { case 1: a++; [[fallthrough]]; case 2: a--; break; default: a = 0; }
return a; }
""",
    "extern_c": r"""
extern "C" { int cfun(int a); struct Cstruct; } extern "C" int cfun2(int); extern "C" inline int cfun3(int
a) { return a; }
""",
    "anon_ns": r"""
namespace { int hidden_one = 3; inline int f24() { return hidden_one; } } inline int f24b() { return
hidden_one + f24(); }
""",
    "anon_union": r"""
inline unsigned f25(float f) { union { float f; unsigned u; } both; both.f = f; return both.u; } struct AU
{ union { int a; float b; }; int c; int g() { return a + c; } }; inline int f25b() { union { int a; float
b; }; a = 3; return a; }
""",
    "anon_struct": r"""
struct AS { struct { int x, y; }; int sum() { return x + y; } };
""",
    "bit_fields": r"""
struct Bits { unsigned a : 3; unsigned : 2; int b : 4, c : 5; unsigned : 0; };
""",
    "do_while": r"""
inline int f26(int a) { do { a--; if (a == 3) continue; if (a == 2) break; } while (a > 0); do a++; while
(a < 2); return a; }
""",
    "switch": r"""
enum Color { red, green }; inline int f27(Color c, char k) { switch (c) { case red: return 1; case green:
{ int z = 2; return z; } } switch (k) { case 'a': case '\n': return 3; case ('b' + 1): return 4; default:
break; } return 0; }
""",
    "goto": r"""
inline int f28(int a) { again: a--; if (a > 0) goto again; if (a < -5) goto out; a = 2; out: return a; }
""",
    "try": r"""
inline int f29(int a) { try { if (a) throw std::runtime_error("bad"); throw; } catch (const std::exception
&e) { return 1; } catch (int) { return 2; } catch (...) { return 3; } }
""",
    "function_try": r"""
inline int f29b(int a) try { return a; } catch (...) { return 0; }
""",
    "new_delete": r"""
inline void f30(int n) { int *a = new int; int *b = new int[n]; float *c = new float(3.f); int *d = new
int[3](); int *e = new int{4}; auto *g = new (std::nothrow) int[n]; delete a; delete[] b; delete c;
delete[] d; delete e; delete[] g; ::operator delete(nullptr); }
""",
    "placement": r"""
inline int *f30b(void *p) { return new (p) int(3); } inline int *f30c() { return ::new int; }
""",
    "sizeof": r"""
inline unsigned f31(int a) { int v[3]; return sizeof(int) + sizeof a + sizeof(v) / sizeof(v[0]) + sizeof v
/ sizeof *v + alignof(double) + sizeof(unsigned char); }
""",
    "fun_ptr": r"""
typedef int (*binary_t)(int, int); using unary_t = int (*)(int); inline int app(int (*f)(int, int),
binary_t g, unary_t h, int a) { int (*k)(int) = h; return f(a, g(a, a)) + h(a) + (*k)(a); }
""",
    "array_ref": r"""
template <class T, unsigned n> unsigned count(T (&v)[n]) { return n; } inline void f33(int (*rows)[3], int
(&v)[4]) { rows[0][1] = v[2]; }
""",
    "rvalue": r"""
struct Mv { Mv() = default; Mv(Mv &&o) noexcept : n(o.n) {} Mv(const Mv &) = delete; Mv &operator=(Mv &&o)
noexcept { n = o.n; return *this; } ~Mv() {} int n{0}; }; inline void f34(Mv &&m) { Mv k = std::move(m); }
""",
    "ctor_init": r"""
struct CI : public std::vector<int> { CI(int a, int b) : std::vector<int>(a, b), x{a}, y(b) {} explicit
CI() : CI(1, 2) {} virtual ~CI() = default; int x, y; virtual int z() const = 0; }; struct CJ final : CI {
using CI::CI; int z() const override { return 1; } };
""",
    "templates_sfinae": r"""
template <class T> typename std::enable_if<std::is_integral<T>::value, T>::type f35(T a) { return a; }
template <class T, typename std::enable_if<!std::is_integral<T>::value, int>::type = 0> T f35(T a) {
return a; } template <class T, class = typename T::type> void f35b(T);
""",
    "enable_if_t": r"""
template <class T, std::enable_if_t<std::is_same<T, int>::value, int> = 0> T f36(T a) { return a; }
""",
    "partial_spec": r"""
template <class T, int n> struct Sp { static const int v = n; }; template <class T> struct Sp<T, 0> {
static const int v = -1; }; template <> struct Sp<int, 1>; template <> struct Sp<int, 1> { static
constexpr int v = 7; }; inline int f37() { return Sp<int, (3 > 2)>::v + Sp<float, 0>::v; }
""",
    "templ_templ": r"""
template <template <class, int> class C, class T> struct TT { C<T, 3> c; }; template <template
<typename...> class C, typename... Ts> struct TV {};
""",
    "var_template": r"""
template <class T> constexpr T pi = T(3.14159); template <> constexpr float pi<float> = 3.f; inline double
f38() { return pi<double> * pi<float>; }
""",
    "static_out": r"""
struct SO { static int n; static const int k = 3; void f(); struct In; enum { A = 1, B = A << 2 }; }; int
SO::n = 3; const int SO::k; inline void SO::f() { n = k + B; } struct SO::In { int q; };
""",
    "template_out": r"""
template <class T> struct TO { TO(); ~TO(); T f(T a) const; static T s; typedef T value; }; template
<class T> TO<T>::TO() {} template <class T> TO<T>::~TO() {} template <class T> T TO<T>::f(T a) const {
return a; } template <class T> T TO<T>::s = 0;
""",
    "if_init": r"""
inline int f39(int a) { if (int b = a * 2; b > 3) { return b; } switch (int c = a; c) { default: break; }
if (auto *p = &a) return *p; while (int d = a--) { a -= d; } return 0; }
""",
    "initlist": r"""
inline std::vector<int> f40() { std::vector<int> v{1, 2, 3}; v = {4, 5}; std::array<std::array<int, 2>, 2>
w = {{{1, 2}, {3, 4}}}; std::map<std::string, std::vector<int>> m; m["a"] = {1}; return {v.begin(),
v.end()}; }
""",
    "std_things": r"""
inline void f41() { std::cout << std::setw(3) << 1 << " " << std::endl; std::string s = std::string("a") +
'b'; for (auto it = s.begin(); it != s.end(); ++it) { *it = 'c'; } std::sort(s.begin(), s.end(), [](char
a, char b) { return a < b; }); std::unique_ptr<int[]> p(new int[3]); std::function<int(int, float)> g =
nullptr; }
""",
    "volatile_reg": r"""
inline int f42() { volatile int v = 3; const volatile unsigned long long int w = 4; long long int x = 1;
unsigned y = 2u; int const *const z = nullptr; int static s = 3; return v + (int)w; }
""",
    "char_lits": r"""
inline int f43() { char a = '\0', b = '\x41', c = '\'', d = '"'; const wchar_t *w = L"wide"; const char *u
= u8"x"; char16_t e = u'x'; return a + b + c + d; }
""",
    "alternatives": r"""
inline bool f44(bool a, bool b) { return not a and (b or a) and (a not_eq b) and (1 bitand 3) and (2 xor
1) and compl 3; }
""",
    "noexcept": r"""
inline int f45() noexcept { return 1; } inline int f45b() noexcept(noexcept(f45())) { return 2; } inline
void f45c() throw() {}
""",
    "thread_local": r"""
inline int f46() { static thread_local int n = 0; thread_local int m = 0; return n++ + m; }
""",
    "alignas": r"""
struct alignas(16) Al { float v[4]; }; inline void f47() { alignas(8) char buffer[8]; buffer[0] = 1; }
""",
    "explicit_inst": r"""
template <class T> T f48(T a) { return a; } template int f48<int>(int); template <class T> struct EI { T
v; }; template struct EI<float>; extern template struct EI<double>;
""",
    "local_class": r"""
inline int f49() { struct Local { int a; int twice() const { return 2 * a; } }; Local l{3}; typedef Local
again; enum { X = 1 }; using U = int; U u = X; return l.twice() + u; }
""",
    "multi_decl": r"""
inline void f50() { int a = 1, *b = &a, &c = a, d[2] = {1, 2}, (*e)[2] = &d; unsigned long f(3), g{4};
static const int h[] = {1, 2, 3}; }
""",
    "templ_less": r"""
inline bool f52(int a, int b, int c) { return a < b && b > c; } template <int n> struct Num { enum { value
= n }; }; inline bool f52b(int a) { return a < Num<3>::value || a > Num<(4 > 3)>::value; } template <class
T> int f52c(T t) { return t.size() < 3 && t.size() > 1; }
""",
    "dependent_call": r"""
template <class T> void f53(T t) { t.template get<int>(); T::template make<3>(); typename T::inner x;
typename T::template rebind<int>::other y; x.f(); }
""",
    "varargs": r"""
inline void f56(const char *format, ...) { va_list args; va_start(args, format); vprintf(format, args);
va_end(args); }
""",
    "libc": r"""
inline double f57(double a) { return std::exp(a) + ::sqrt(a) + exp2f(1.f) + log1p(a) + fma(a, a, a) +
nearbyint(a) + copysign(a, a) + std::abs(a) + atan2f(1.f, 2.f) + llround(a) + expm1(a) + labs(3L) +
log2f(2.f) + lroundf(1.f) + strncmp("a", "b", 1) + isspace('a') + memcmp("a", "b", 1) + toupper('a') +
remquo(1, 2, nullptr); }
""",
    "ap_types": r"""
inline float f59(ap_fixed<8, 3, AP_RND, AP_SAT> a, ap_uint<4> b) { ap_fixed<16, 6> c = a * b; c(3, 0) =
b.range(3, 0); ap_int<8> d = c.range(); bool e = c[2]; return c.to_float() + (float)d + (e ? 1.f : 0.f) +
ap_fixed<8, 2>(a).to_double(); }
""",
    "stream": r"""
inline void f60(hls::stream<ap_uint<8>> &in, hls::stream<ap_uint<8> > &out) { while (!in.empty()) {
ap_uint<8> a = in.read(); out.write(a); out << a; in >> a; } }
""",
    "nested_close": r"""
inline std::vector<std::vector<std::vector<int>>> f61() { return
std::vector<std::vector<std::vector<int>>>(3, std::vector<std::vector<int>>()); }
""",
    "shift_in_args": r"""
template <int n> struct Sft {}; inline void f62() { Sft<(8 >> 1)> a; Sft<1 << 3> b; Sft<-1> c;
Sft<sizeof(int) * 2> d; Sft<'a'> e; Sft<true ? 1 : 2> f; }
""",
    "typedef_struct": r"""
typedef struct { int a; } plain_t; typedef struct tagged { struct tagged *next; } tagged_t; typedef enum {
e_a, e_b } enum_t; typedef union { int i; float f; } union_t; typedef int array_t[3], *ptr_t; typedef void
fn_t(int); typedef unsigned long ulong_like; inline int f63(plain_t p, enum_t e, tagged_t *t) { return p.a
+ e_a + (e == e_b); }
""",
    "compound_lit": r"""
struct Cl { int a; }; inline int f65() { return Cl{3}.a + int{4} + Cl().a + std::vector<int>{1, 2}[0] +
(int)unsigned(3); }
""",
    "ref_qual": r"""
struct Rq { int f() & { return 1; } int f() && { return 2; } int g() const & noexcept { return 1; } };
""",
    "using_enum_fwd": r"""
enum Fwd : int; enum class Fwd2; struct Fs; class Fc; union Fu; template <class T> struct Ft; inline int
f66(struct Fs *a, class Fc *b, enum Fwd c) { return (int)c; }
""",
    "ns_alias": r"""
namespace very { namespace longer { typedef int name; inline int f() { return 1; } } } namespace vl =
very::longer; inline vl::name f67() { return vl::f(); } using very::longer::f; namespace v2 { using
namespace very::longer; inline name g() { return 1; } }
""",
    "inline_ns": r"""
namespace versioned { inline namespace v1 { inline int api() { return 1; } } } inline int f68() { return
versioned::api() + versioned::v1::api(); }
""",
    "static_fn_in_cls": r"""
struct Sf { static int f(int a) { return g(a); } static int g(int a) { return a; } private: int n = f(3);
mutable int m; protected: constexpr static int k = 3; };
""",
    "builtins": r"""
inline int f70(int a) { if (__builtin_expect(a, 0)) return 1; return __builtin_popcount(a) +
__builtin_clz(a); }
""",
    "restrict": r"""
inline void f71(float *__restrict__ a, const float *__restrict b) { a[0] = b[0]; }
""",
    "ptr_arith": r"""
inline int f79(int *p, int **q) { return *p++ + **q + (*p)++ + *(p + 1) + p[1] + -*p + !*p + ~*p + *&p[0]
+ - -*p; }
""",
    "addr_casts": r"""
inline unsigned f80(float f) { return *(unsigned *)&f + *reinterpret_cast<unsigned *>(&f) +
(unsigned)(unsigned char)f + ((unsigned)f & 3) + (int)+f; }
""",
    "std_tuple": r"""
inline int f81() { std::tuple<int, float> t = std::make_tuple(1, 2.f); int a; float b; std::tie(a, b) = t;
std::pair<int, int> p(1, 2); return std::get<0>(t) + p.first; }
""",
    "operator_call": r"""
struct Oc { int operator+(int a) const { return a; } }; inline int f82(Oc o) { return o.operator+(3) +
(o + 4); }
""",
    "dtor_call": r"""
struct Dc { ~Dc() {} }; inline void f83(Dc *d) { d->~Dc(); } template <class T> void f83b(T *t) { t->~T();
}
""",
    "throw_expr": r"""
inline int f84(int a) { return a ? a : throw 3; }
""",
    "constexpr_fn": r"""
constexpr int log2_of(int n) { int k = 0; while (n >>= 1) ++k; return k; } constexpr unsigned table[] =
{1u << 0, 1u << log2_of(8)}; static constexpr auto big = 1ull << 40;
""",
    "templated_lambda_arg": r"""
template <class F> int apply(F &&f) { return std::forward<F>(f)(3); } inline int f89() { int k = 2; return
apply([&, k](int a) { for (int i = 0; i < k; i++) { if (i) continue; } return a; }); }
""",
    "enum_in_class_use": r"""
struct Ec { enum class State { on, off }; State s = State::on; bool f() const { switch (s) { case
State::on: return true; case Ec::State::off: return false; } return false; } };
""",
    "later_members": r"""
struct Lm { int f() { return later() + n; } int later() { return 1; } int n; typedef int t; };
""",
    "trailing_member": r"""
struct Tm { auto f() const -> int; auto g() -> std::vector<int> { return {}; } }; inline auto Tm::f()
const -> int { return 1; }
""",
    "vla_static": r"""
inline void f90(int n) { int v[n]; v[0] = 1; static int w[2][3] = {{1, 2, 3}, {4, 5, 6}}; }
""",
    "label_end": r"""
inline void f92() { for (int i = 0; i < 3; i++) { outer_loop: for (int j = 0; j < 3; j++) { if (j) break;
} } loop_label: for (int k = 0; k < 2; k++) ; }
""",
    "cast_fn_type": r"""
inline int f93(void *p) { return ((int (*)(int))p)(3); }
""",
    "templ_default_args": r"""
template <class T = int, int n = 3, bool b = (n > 2)> struct Td {}; inline void f94(Td<> a, Td<float, 2> b
= Td<float, 2>()) {}
""",
    "templ_defaults_declared_before": r"""
template <class A, int n = 3> struct Tf; template <class B, int m> struct Tf { B b[m]; }; template <int m>
struct Tf<char, m> {}; inline void f96(Tf<int> a, Tf<char, 2> b) {}
""",
    "templ_packs": r"""
template <class... A> struct Tp {}; template <class... A> struct Tq { Tp<A...> a; Tp<int, A...> b; }; template
<template <class, int> class K, int n> struct Tr { K<int, n> k; }; template <class A, int n> struct Ts {};
inline void f97(Tp<> a, Tp<int, char> b, Tr<Ts, 3> c) {} template <class A, class = void> struct Tt {}; template
<class A> struct Tt<A, typename A::t> {}; inline void f98(Tt<int> a) {} template <class A> using Tu = Tp<A, A>;
inline void f99(Tu<int> a) {}
""",
    "dependent_base": r"""
template <class T> struct Db { int n; T g() { return n; } static T s() { return 3; } }; template <class T> struct
Dd : public Db<T> { typedef Db<T> Base; using Base::g; T f() { return this->n + g() + Db<T>::s() + Base::s(); } };
struct De : Db<int> { int f() { return n + g() + s(); } }; template <class T> struct Df : De { T h() { return n +
f(); } };
""",
    "set_inside": r"""
template <class T> struct Si { static const unsigned n = 3; static constexpr float x = 1.5f; static const bool b =
true; typedef int t; static const t m = 4; static const int v[2]; inline static int w = 2; static ap_fixed<8, 2> z;
}; template <class T> const int Si<T>::v[2] = {1, 2}; template struct Si<char>; template <class T> T f102(T a) {
return a; } template int f102<int>(int); template char f102(char);
""",
    "std_values": r"""
#include <algorithm>
#include <iostream>
#include <string>
inline int f101(int a) { using std::max; std::cout << a << std::endl; std::string s = std::to_string(a); return
max(a, std::min<int>(a, 3)) + std::abs(a) + (int)std::sqrt((double)a); }
""",
    "static_cast_ref": r"""
inline int f95(const int &a) { return static_cast<const int &>(a) + static_cast<int const *const>(&a)[0];
}
""",
    "volatile_member": r"""
struct Vm { int f() volatile { return 1; } int g() const volatile { return 1; } };
""",
    "digit_separators": r"""
inline int f16() { return 1'000'000 + 0b1010'1010; } /* it's
#define f16 3
*/
""",
}
"""By name; each stands for itself, and a compiler takes all of them as C++17."""
