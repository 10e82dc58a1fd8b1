// cudagen_math.h - arithmetic builtins; part of cudagen_device.h.
//
// The fast intrinsics are as exact here as the others: tolerances have to leave room for a GPU's errors.
#pragma once

extern "C"
{
#define CUDAGEN_LIBM1(name)                                                                                            \
    float name##f(float);                                                                                              \
    double name(double);
#define CUDAGEN_LIBM2(name)                                                                                            \
    float name##f(float, float);                                                                                       \
    double name(double, double);
    CUDAGEN_LIBM1(exp)
    CUDAGEN_LIBM1(exp2)
    CUDAGEN_LIBM1(expm1)
    CUDAGEN_LIBM1(log)
    CUDAGEN_LIBM1(log2)
    CUDAGEN_LIBM1(log1p)
    CUDAGEN_LIBM1(tanh)
    CUDAGEN_LIBM1(sin)
    CUDAGEN_LIBM1(cos)
    CUDAGEN_LIBM1(sqrt)
    CUDAGEN_LIBM1(cbrt)
    CUDAGEN_LIBM1(erf)
    CUDAGEN_LIBM1(fabs)
    CUDAGEN_LIBM1(floor)
    CUDAGEN_LIBM1(ceil)
    CUDAGEN_LIBM1(rint)
    CUDAGEN_LIBM1(trunc)
    CUDAGEN_LIBM2(pow)
    CUDAGEN_LIBM2(fmod)
    CUDAGEN_LIBM2(copysign)
#undef CUDAGEN_LIBM1
#undef CUDAGEN_LIBM2
    float fmaf(float, float, float);
    double fma(double, double, double);
    void sincosf(float, float*, float*);
    void sincos(double, double*, double*);
    int abs(int);
    long labs(long);
    long long llabs(long long);
}

#define CUDAGEN_OVERLOAD1(name)                                                                                        \
    CUDAGEN_BUILTIN float name(float x)                                                                                \
    {                                                                                                                  \
        return name##f(x);                                                                                             \
    }
CUDAGEN_OVERLOAD1(exp)
CUDAGEN_OVERLOAD1(exp2)
CUDAGEN_OVERLOAD1(expm1)
CUDAGEN_OVERLOAD1(log)
CUDAGEN_OVERLOAD1(log2)
CUDAGEN_OVERLOAD1(log1p)
CUDAGEN_OVERLOAD1(tanh)
CUDAGEN_OVERLOAD1(sin)
CUDAGEN_OVERLOAD1(cos)
CUDAGEN_OVERLOAD1(sqrt)
CUDAGEN_OVERLOAD1(fabs)
CUDAGEN_OVERLOAD1(floor)
CUDAGEN_OVERLOAD1(ceil)
#undef CUDAGEN_OVERLOAD1

// Of two numbers, that which is no NaN. Written out, as compilers call libm for these.
#define CUDAGEN_EXTREME(name, T, op)                                                                                   \
    CUDAGEN_BUILTIN T name(T x, T y)                                                                                   \
    {                                                                                                                  \
        return x op y || y != y ? x : y;                                                                               \
    }
CUDAGEN_EXTREME(fminf, float, <)
CUDAGEN_EXTREME(fmaxf, float, >)
CUDAGEN_EXTREME(fmin, double, <)
CUDAGEN_EXTREME(fmax, double, >)
#undef CUDAGEN_EXTREME

CUDAGEN_BUILTIN float pow(float x, float y)
{
    return powf(x, y);
}

CUDAGEN_BUILTIN long abs(long x)
{
    return labs(x);
}

CUDAGEN_BUILTIN long long abs(long long x)
{
    return llabs(x);
}

CUDAGEN_BUILTIN float abs(float x)
{
    return fabsf(x);
}

CUDAGEN_BUILTIN double abs(double x)
{
    return fabs(x);
}

// CUDA's overloads: of equal types, and of a signed with an unsigned one, which meet as unsigned.
#define CUDAGEN_MINMAX(R, A, B)                                                                                        \
    CUDAGEN_BUILTIN R min(A a, B b)                                                                                    \
    {                                                                                                                  \
        R x = static_cast<R>(a), y = static_cast<R>(b);                                                                \
        return y < x ? y : x;                                                                                          \
    }                                                                                                                  \
    CUDAGEN_BUILTIN R max(A a, B b)                                                                                    \
    {                                                                                                                  \
        R x = static_cast<R>(a), y = static_cast<R>(b);                                                                \
        return x < y ? y : x;                                                                                          \
    }
CUDAGEN_MINMAX(int, int, int)
CUDAGEN_MINMAX(unsigned, unsigned, unsigned)
CUDAGEN_MINMAX(unsigned, int, unsigned)
CUDAGEN_MINMAX(unsigned, unsigned, int)
CUDAGEN_MINMAX(long, long, long)
CUDAGEN_MINMAX(unsigned long, unsigned long, unsigned long)
CUDAGEN_MINMAX(unsigned long, long, unsigned long)
CUDAGEN_MINMAX(unsigned long, unsigned long, long)
CUDAGEN_MINMAX(long long, long long, long long)
CUDAGEN_MINMAX(unsigned long long, unsigned long long, unsigned long long)
CUDAGEN_MINMAX(unsigned long long, long long, unsigned long long)
CUDAGEN_MINMAX(unsigned long long, unsigned long long, long long)
#undef CUDAGEN_MINMAX

#define CUDAGEN_MINMAX(R, A, B, suffix)                                                                                \
    CUDAGEN_BUILTIN R min(A a, B b)                                                                                    \
    {                                                                                                                  \
        return fmin##suffix(a, b);                                                                                     \
    }                                                                                                                  \
    CUDAGEN_BUILTIN R max(A a, B b)                                                                                    \
    {                                                                                                                  \
        return fmax##suffix(a, b);                                                                                     \
    }
CUDAGEN_MINMAX(float, float, float, f)
CUDAGEN_MINMAX(double, double, double, )
CUDAGEN_MINMAX(double, float, double, )
CUDAGEN_MINMAX(double, double, float, )
#undef CUDAGEN_MINMAX

#define CUDAGEN_CLASSIFY(name)                                                                                         \
    CUDAGEN_BUILTIN bool name(float x)                                                                                 \
    {                                                                                                                  \
        return __builtin_##name(x);                                                                                    \
    }                                                                                                                  \
    CUDAGEN_BUILTIN bool name(double x)                                                                                \
    {                                                                                                                  \
        return __builtin_##name(x);                                                                                    \
    }
CUDAGEN_CLASSIFY(isnan)
CUDAGEN_CLASSIFY(isinf)
CUDAGEN_CLASSIFY(isfinite)
#undef CUDAGEN_CLASSIFY

CUDAGEN_BUILTIN float rsqrtf(float x)
{
    return static_cast<float>(1.0 / sqrt(static_cast<double>(x)));
}

CUDAGEN_BUILTIN double rsqrt(double x)
{
    return 1.0 / sqrt(x);
}

CUDAGEN_BUILTIN float rsqrt(float x)
{
    return rsqrtf(x);
}

// Of pi * x. Whole turns are taken off first, which is exact; then double has enough digits for a float's result.
CUDAGEN_BUILTIN void sincospif(float x, float* s, float* c)
{
    double sine, cosine;
    sincos(3.141592653589793 * fmod(static_cast<double>(x), 2.0), &sine, &cosine);
    double half_turns = static_cast<double>(x) * 2.0;
    bool on_axis = half_turns == rint(half_turns);
    *s = static_cast<float>(on_axis ? rint(sine) : sine);
    *c = static_cast<float>(on_axis ? rint(cosine) : cosine);
}

CUDAGEN_BUILTIN float __expf(float x)
{
    return expf(x);
}

CUDAGEN_BUILTIN float __logf(float x)
{
    return logf(x);
}

CUDAGEN_BUILTIN float __sinf(float x)
{
    return sinf(x);
}

CUDAGEN_BUILTIN float __cosf(float x)
{
    return cosf(x);
}

CUDAGEN_BUILTIN float __powf(float x, float y)
{
    return powf(x, y);
}

CUDAGEN_BUILTIN float __fdividef(float x, float y)
{
    return x / y;
}

// These names promise a rounding of their own, which contraction would take away.
#if defined(__x86_64__)
#define CUDAGEN_FLOAT_REGISTER "+x"
#else
#define CUDAGEN_FLOAT_REGISTER "+w"
#endif

CUDAGEN_BUILTIN float __fmul_rn(float x, float y)
{
    float product = x * y;
    __asm__("" : CUDAGEN_FLOAT_REGISTER(product));
    return product;
}

CUDAGEN_BUILTIN float __fadd_rn(float x, float y)
{
    __asm__("" : CUDAGEN_FLOAT_REGISTER(x), CUDAGEN_FLOAT_REGISTER(y));
    return x + y;
}

CUDAGEN_BUILTIN float __fmaf_rn(float x, float y, float z)
{
    return fmaf(x, y, z);
}

CUDAGEN_BUILTIN float __frcp_rn(float x)
{
    return 1.0f / x;
}

CUDAGEN_BUILTIN float __fsqrt_rn(float x)
{
    return sqrtf(x);
}

CUDAGEN_BUILTIN float __saturatef(float x)
{
    return fminf(fmaxf(x, 0.0f), 1.0f); // of NaN: 0
}

// Out of range saturates, NaN gives 0: CUDA defines what C++ leaves open.
CUDAGEN_BUILTIN int __float2int_rz(float x)
{
    if (!(x == x))
        return 0;
    if (x >= 2147483648.0f)
        return 0x7fffffff;
    return x < -2147483648.0f ? -0x7fffffff - 1 : static_cast<int>(x);
}

CUDAGEN_BUILTIN int __float2int_rn(float x)
{
    return __float2int_rz(rintf(x));
}

CUDAGEN_BUILTIN float __int2float_rn(int x)
{
    return static_cast<float>(x);
}

CUDAGEN_BUILTIN int __float_as_int(float x)
{
    return __builtin_bit_cast(int, x);
}

CUDAGEN_BUILTIN unsigned __float_as_uint(float x)
{
    return __builtin_bit_cast(unsigned, x);
}

CUDAGEN_BUILTIN float __int_as_float(int x)
{
    return __builtin_bit_cast(float, x);
}

CUDAGEN_BUILTIN float __uint_as_float(unsigned x)
{
    return __builtin_bit_cast(float, x);
}

CUDAGEN_BUILTIN unsigned __umulhi(unsigned x, unsigned y)
{
    return static_cast<unsigned>((static_cast<unsigned long long>(x) * y) >> 32);
}

CUDAGEN_BUILTIN int __mulhi(int x, int y)
{
    return static_cast<int>((static_cast<long long>(x) * y) >> 32);
}

CUDAGEN_BUILTIN int __popc(unsigned x)
{
    return __builtin_popcount(x);
}

CUDAGEN_BUILTIN int __popcll(unsigned long long x)
{
    return __builtin_popcountll(x);
}

CUDAGEN_BUILTIN int __clz(int x)
{
    return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x));
}

CUDAGEN_BUILTIN int __ffs(int x)
{
    return __builtin_ffs(x);
}

CUDAGEN_BUILTIN unsigned __brev(unsigned x)
{
    x = (x & 0x55555555u) << 1 | (x >> 1 & 0x55555555u);
    x = (x & 0x33333333u) << 2 | (x >> 2 & 0x33333333u);
    x = (x & 0x0f0f0f0fu) << 4 | (x >> 4 & 0x0f0f0f0fu);
    return __builtin_bswap32(x);
}
