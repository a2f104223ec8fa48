"""Student's t: the probability of a tail, and the value that leaves a given tail.

Written out because the runtime has no scipy; the tests hold it to scipy's to ten digits.
Source: continued fraction of the incomplete beta function, DLMF 8.17.22, by Lentz's method.
"""

from __future__ import annotations

import math

TINY = 1e-300
PRECISION = 1e-15
MOST_TERMS = 10_000
CLOSE = 1e-12


def upper_tail(t: float, df: float) -> float:
    """Return P(T > t) for `df` degrees of freedom; infinitely many make it the normal law."""
    if math.isinf(df):
        return 0.5 * math.erfc(t / math.sqrt(2))
    if t < 0:
        return 1.0 - upper_tail(-t, df)
    return 0.5 * _incomplete_beta(df / (df + t * t), df / 2, 0.5)


def two_sided(t: float, df: float) -> float:
    """Return P(|T| > |t|)."""
    return min(1.0, 2 * upper_tail(abs(t), df))


def critical(tail: float, df: float) -> float:
    """Return the t that leaves `tail`, below one half, above it.

    By Newton's method from 0: the tail is convex there, so no step goes too far.
    """
    t = 0.0
    for _ in range(MOST_TERMS):
        step = (upper_tail(t, df) - tail) / _density(t, df)
        t += step
        if step <= CLOSE * t:
            break
    return t


def _density(t: float, df: float) -> float:
    if math.isinf(df):
        return math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    return math.exp(scale - (df + 1) / 2 * math.log1p(t * t / df))


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(1 - x, b, a)
    log_front = a * math.log(x) + b * math.log1p(-x)
    log_front += math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(log_front) / a / _continued_fraction(x, a, b)


def _continued_fraction(x: float, a: float, b: float) -> float:
    value = c = 1.0
    d = 0.0
    for term in range(1, MOST_TERMS):
        m, odd = divmod(term, 2)
        if odd:
            step = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            step = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / ((1 + step * d) or TINY)
        c = (1 + step / c) or TINY
        value *= c * d
        if abs(c * d - 1) < PRECISION:
            break
    return value
