"""Fixed-point types of the firmware (`ap_fixed`, `ap_ufixed`, `ap_int`, `ap_uint`) and exact arithmetic on them.

A number of type ``ap_fixed<W, I>`` is an integer ``raw`` of W bits that stands for ``raw * 2**-(W - I)``. All
functions work on raw integers in numpy arrays: int64 where 64 bits hold every intermediate result, Python
integers in an object array where they do not. Nothing here rounds unless the type says so.

The rules are those of the open C++ headers that hls4ml ships (`ap_types`), which the C simulation runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError

Raw = npt.NDArray[Any]
"""Raw integers: an int64 array, or an object array of Python ints where 64 bits cannot hold them."""

# Values whose magnitude stays below 2**62 can be added and rounded in int64 without a thought.
_SAFE_BITS = 62


class Rounding(StrEnum):
    """What happens to bits below the last kept one (`ap_q_mode`)."""

    TRN = "TRN"
    TRN_ZERO = "TRN_ZERO"
    RND = "RND"
    RND_ZERO = "RND_ZERO"
    RND_INF = "RND_INF"
    RND_MIN_INF = "RND_MIN_INF"
    RND_CONV = "RND_CONV"


class Overflow(StrEnum):
    """What happens to a value outside the range (`ap_o_mode`), after rounding."""

    WRAP = "WRAP"
    SAT = "SAT"
    SAT_ZERO = "SAT_ZERO"
    SAT_SYM = "SAT_SYM"


@dataclass(frozen=True)
class FixedPoint:
    """A fixed-point type.

    Parameters
    ----------
    width
        Bits in all, the sign bit included.
    integer
        Bits before the binary point, the sign bit included. May be negative or larger than `width`.
    signed
        Two's complement if true.
    rounding, overflow
        What an assignment to this type does.
    is_integer
        The type is an `ap_int` or `ap_uint`: an assignment truncates toward zero and wraps.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP
    is_integer: bool = False

    def __post_init__(self) -> None:
        if self.width < 1:
            raise L1emuError("a fixed-point type needs at least one bit", value=self.width)
        if self.is_integer and (
            self.integer != self.width or self.rounding is not Rounding.TRN_ZERO or self.overflow is not Overflow.WRAP
        ):
            raise L1emuError("an integer type truncates toward zero and wraps", value=str(self))

    @classmethod
    def int_type(cls, width: int, signed: bool = True) -> FixedPoint:
        """The type `ap_int<width>` or `ap_uint<width>`."""
        return cls(width, width, signed, Rounding.TRN_ZERO, Overflow.WRAP, True)

    @classmethod
    def parse(cls, text: str) -> FixedPoint:
        """Read a type such as ``ap_fixed<16,6,AP_RND_CONV,AP_SAT,0>``, ``ap_uint<4>`` or, short, ``ufixed<8,0,RND>``.

        Raises
        ------
        L1emuError
            for any other text, for saturation bits of a wrapping type, and for modes that do not exist.
        """
        compact = "".join(text.split())
        found = re.fullmatch(r"(?:ap_)?(u?)(fixed|int)<([^<>]*)>", compact)
        if found is None:
            raise L1emuError("not a fixed-point type", value=text, expected="ap_fixed<W,I,...> or ap_int<W>")
        signed, kind, arguments = not found[1], found[2], found[3].split(",")
        try:
            numbers = [int(a) for a in arguments[:2]]
        except ValueError:
            raise L1emuError("not a fixed-point type", value=text, expected="numbers for the bits") from None
        if kind == "int":
            if len(arguments) != 1:
                raise L1emuError("an integer type has one argument", value=text)
            return cls.int_type(numbers[0], signed)
        if not 2 <= len(arguments) <= 5:
            raise L1emuError("a fixed-point type has two to five arguments", value=text)
        try:
            rounding = Rounding(arguments[2].removeprefix("AP_")) if len(arguments) > 2 else Rounding.TRN
            overflow = Overflow(arguments[3].removeprefix("AP_")) if len(arguments) > 3 else Overflow.WRAP
        except ValueError as error:
            raise L1emuError(f"unknown mode in a fixed-point type: {error}", value=text) from None
        # Saturation bits are for wrapping types; AP_SAT is an enumerator of value 0.
        bits = arguments[4] if len(arguments) == 5 else "0"
        if bits not in ("0", "AP_SAT") and (overflow is Overflow.WRAP or not bits.isdigit()):
            raise L1emuError("a type with saturation bits is not supported", value=text, expected="0")
        return cls(numbers[0], numbers[1], signed, rounding, overflow)

    def __str__(self) -> str:
        prefix = "ap_" if self.signed else "ap_u"
        if self.is_integer:
            return f"{prefix}int<{self.width}>"
        text = f"{prefix}fixed<{self.width},{self.integer}"
        if self.rounding is not Rounding.TRN or self.overflow is not Overflow.WRAP:
            text += f",AP_{self.rounding.value},AP_{self.overflow.value},0"
        return text + ">"

    @property
    def fraction(self) -> int:
        """Bits after the binary point; one raw step is ``2**-fraction``."""
        return self.width - self.integer

    @property
    def low(self) -> int:
        """The lowest raw value that W bits hold (an AP_SAT_SYM type never yields it by saturation)."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The highest raw value."""
        return (1 << (self.width - 1)) - 1 if self.signed else (1 << self.width) - 1

    @property
    def fits_int64(self) -> bool:
        """Whether every raw value fits in int64."""
        return self.width <= 63 + self.signed

    def cast(self, raw: npt.ArrayLike, fraction: int) -> Raw:
        """Assign numbers to this type: exact rounding, then overflow of the rounded value.

        Parameters
        ----------
        raw
            Integers of any shape (int64, or Python ints in an object array) that stand for
            ``raw * 2**-fraction``.
        fraction
            Bits after the binary point of `raw`.

        Returns
        -------
        numpy array of the same shape
            Raw values of this type: int64 if the type fits, else Python ints in an object array.
        """
        return self._tidy(self.overflowed(self.rounded(raw, fraction)))

    def rounded(self, raw: npt.ArrayLike, fraction: int) -> Raw:
        """The first half of `cast`: raw values of this type's step after rounding, where none has overflowed yet.

        Parameters
        ----------
        raw, fraction
            As for `cast`.

        Returns
        -------
        numpy array of the same shape
            int64, or Python ints in an object array where these or the type's own may need more than 62 bits.
        """
        values = np.asarray(raw)
        if values.dtype != object:
            values = values.astype(np.int64, copy=False)
            spare = 62 - _bits(values)
            up = self.fraction - fraction
            down = fraction - self.fraction
            if self.width > _SAFE_BITS or up > spare or down > _SAFE_BITS or spare < 1:
                values = values.astype(object)
        return self._round(values, fraction - self.fraction)

    def _round(self, values: Raw, shift: int) -> Raw:
        """Drop `shift` low bits by the type's rounding; a negative shift appends zeros."""
        if shift <= 0:
            return values * (1 << -shift) if values.dtype == object else values << -shift
        kept = values >> shift
        if self.rounding is Rounding.TRN:
            return kept
        rest = values - (kept << shift)
        half = 1 << (shift - 1)
        up: Raw
        match self.rounding:
            case Rounding.TRN_ZERO:
                up = (values < 0) & (rest != 0)
            case Rounding.RND:
                up = rest >= half
            case Rounding.RND_ZERO:
                up = (rest > half) | ((rest == half) & (values < 0))
            case Rounding.RND_INF:
                up = (rest > half) | ((rest == half) & (values >= 0))
            case Rounding.RND_MIN_INF:
                up = rest > half
            case Rounding.RND_CONV:
                up = (rest > half) | ((rest == half) & ((kept & 1) == 1))
        return kept + up.astype(np.int64)

    def overflowed(self, values: Raw) -> Raw:
        """Bring rounded values into range by the type's overflow mode."""
        low, high = self.low, self.high
        match self.overflow:
            case Overflow.WRAP:
                return ((values - low) & ((1 << self.width) - 1)) + low
            case Overflow.SAT:
                return np.clip(values, low, high)
            case Overflow.SAT_SYM:
                return np.clip(values, -high if self.signed else 0, high)
            case Overflow.SAT_ZERO:
                return np.where((values < low) | (values > high), 0, values)

    def _tidy(self, values: Raw) -> Raw:
        """int64 if the type fits, else Python ints."""
        if self.fits_int64:
            return values.astype(np.int64, copy=False)
        return np.asarray(values, dtype=object)

    def from_float(self, x: npt.ArrayLike) -> Raw:
        """Assign floating-point numbers to this type, exactly as the C++ constructor from double does.

        The binary value of each number is exact before it is rounded. The C++ reads the exponent of an infinity
        or a NaN like any other, as ``+-2**1024`` or more: a saturating type gives its limit (by the sign bit,
        also of a NaN), a wrapping one 0, and AP_SAT_ZERO 0. This function does the same. float32 input is
        widened, which is exact. An `ap_int` or `ap_uint` truncates toward zero, but the C++ turns numbers between
        -0.5 and 0, both excluded, into 1 (its sign is applied to a -1); so does this function.

        Parameters
        ----------
        x
            float32 or float64 numbers of any shape.
        """
        numbers = np.asarray(x, dtype=np.float64)
        if self.is_integer:
            numbers = np.where((numbers > -0.5) & (numbers < 0), 1.0, numbers)
        finite = np.isfinite(numbers)
        if self.width > _SAFE_BITS or abs(self.fraction) > 400:
            exact = [self._from_fraction(float(v), bool(ok)) for v, ok in zip(numbers.flat, finite.flat, strict=True)]
            out = np.empty(numbers.size, dtype=object)
            out[:] = exact
            return self._tidy(out.reshape(numbers.shape))
        # A magnitude this small rounds like any other that is not 0 and below half a step; scaling it as it is
        # could underflow and lose its sign.
        tiny = np.ldexp(1.0, -450 - abs(self.fraction))
        numbers = np.where((numbers != 0) & (np.abs(numbers) < tiny), np.copysign(tiny, numbers), numbers)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.ldexp(np.where(finite, numbers, 0.0), self.fraction)
            rest, whole = np.modf(scaled)  # both exact; the signs agree
        huge = ~finite | (np.abs(whole) >= 2.0**_SAFE_BITS)
        with np.errstate(invalid="ignore"):
            step = self._float_step(rest, whole)
        near = np.where(huge, 0.0, whole).astype(np.int64) + step.astype(np.int64)
        return np.where(huge, self._huge(numbers, whole), self._tidy(self.overflowed(near))).astype(np.int64)

    def _float_step(self, rest: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> Raw:
        """What rounding adds to the part before the point: -1, 0 or 1."""
        match self.rounding:
            case Rounding.TRN:
                return -(rest < 0).astype(np.int64)
            case Rounding.TRN_ZERO:
                return np.zeros(rest.shape, dtype=np.int64)
            case Rounding.RND:
                up, down = rest >= 0.5, rest < -0.5
            case Rounding.RND_ZERO:
                up, down = rest > 0.5, rest < -0.5
            case Rounding.RND_INF:
                up, down = rest >= 0.5, rest <= -0.5
            case Rounding.RND_MIN_INF:
                up, down = rest > 0.5, rest <= -0.5
            case Rounding.RND_CONV:
                odd = np.fmod(whole, 2.0) != 0
                up, down = (rest > 0.5) | ((rest == 0.5) & odd), (rest < -0.5) | ((rest == -0.5) & odd)
        return up.astype(np.int64) - down.astype(np.int64)

    def _huge(self, numbers: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> Raw:
        """The raw value of numbers that are integers of 2**62 steps or more, infinite or NaN."""
        below = np.signbit(numbers)
        match self.overflow:
            case Overflow.SAT:
                return np.where(below, self.low, self.high)
            case Overflow.SAT_SYM:
                return np.where(below, -self.high if self.signed else 0, self.high)
            case Overflow.SAT_ZERO:
                return np.zeros(numbers.shape, dtype=np.int64)
            case Overflow.WRAP:
                # Modulo a power of two is exact in floating point; an infinity is a multiple of 2**W.
                with np.errstate(invalid="ignore"):
                    modulo = np.fmod(np.where(np.isfinite(whole), whole, 0.0), 2.0**self.width)
                return self.overflowed(modulo.astype(np.int64))

    def _from_fraction(self, number: float, finite: bool) -> int:
        """One number by way of an exact fraction, for types beyond 62 bits."""
        value = Fraction(float(number)) if finite else Fraction(-(2**1024) if np.signbit(number) else 2**1024)
        # the denominator of a double is a power of two
        places = value.denominator.bit_length() - 1
        raw = np.empty(1, dtype=object)
        raw[0] = value.numerator
        return int(self.cast(raw, places)[0])

    def to_float(self, raw: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The numbers that `raw` stands for: exact up to 53 bits, rounded to the nearest double beyond."""
        values = np.asarray(raw)
        if values.dtype == object:
            scale = Fraction(2) ** -self.fraction
            return np.array([float(int(v) * scale) for v in values.flat]).reshape(values.shape)
        return np.ldexp(values.astype(np.float64), -self.fraction)


def _bits(values: npt.NDArray[np.int64]) -> int:
    """Bits that hold every magnitude in `values`."""
    if values.size == 0:
        return 0
    return max(int(values.max()).bit_length(), int(values.min()).bit_length())


@dataclass(frozen=True)
class Exact:
    """Numbers ``raw * 2**-fraction`` whose sums and products are exact, as those of `ap_fixed` are.

    `bits` bounds the magnitude: every |raw| is at most ``2**bits``. When a result may leave int64, it is computed
    with Python integers.
    """

    raw: Raw
    fraction: int
    bits: int

    @classmethod
    def of(cls, raw: npt.ArrayLike, kind: FixedPoint) -> Exact:
        """Raw values of a type."""
        return cls(np.asarray(raw), kind.fraction, kind.width - kind.signed)

    def __add__(self, other: Exact) -> Exact:
        a, b = self.aligned(other)
        return Exact(a.raw + b.raw, a.fraction, a.bits + 1)

    def __sub__(self, other: Exact) -> Exact:
        a, b = self.aligned(other)
        return Exact(a.raw - b.raw, a.fraction, a.bits + 1)

    def __mul__(self, other: Exact) -> Exact:
        bits = self.bits + other.bits
        product = _widened(self.raw, bits) * _widened(other.raw, bits)
        return Exact(product, self.fraction + other.fraction, bits)

    def aligned(self, other: Exact) -> tuple[Exact, Exact]:
        """Both numbers at the finer of the two steps, with room for a sum."""
        fraction = max(self.fraction, other.fraction)
        up_self, up_other = fraction - self.fraction, fraction - other.fraction
        bits = max(self.bits + up_self, other.bits + up_other)
        return (
            Exact(_widened(self.raw, bits + 1) * (1 << up_self), fraction, bits),
            Exact(_widened(other.raw, bits + 1) * (1 << up_other), fraction, bits),
        )

    def __getitem__(self, index: Any) -> Exact:
        return Exact(self.raw[index], self.fraction, self.bits)

    def cast(self, kind: FixedPoint) -> Exact:
        """Assign to a type, as `FixedPoint.cast` does."""
        return Exact.of(kind.cast(self.raw, self.fraction), kind)


def _widened(raw: Raw, bits: int) -> Raw:
    return raw.astype(object) if bits > _SAFE_BITS and raw.dtype != object else raw
