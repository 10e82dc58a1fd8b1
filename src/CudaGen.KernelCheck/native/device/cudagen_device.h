// cudagen_device.h - the CUDA C++ that kernels are written in, for a host compiler.
//
// The builtins are those of builtins.txt. A block runs on one OS thread, so __shared__ is thread-local storage: at
// block scope thread_local implies static, and "extern thread_local" is legal, so one macro serves both kinds.
#pragma once
#pragma GCC system_header
#include "cudagen_abi.h"

#define __global__ __attribute__((used))
#define __device__
#define __host__
#define __constant__
#define __shared__ thread_local
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ __inline__ __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))

// What the functions of this file are: of this module only, and seen through by the checks, which blame their caller.
#define CUDAGEN_BUILTIN static inline __attribute__((always_inline, unused))

using size_t = emu::Size;

// Alignments as CUDA has them: vectors of 2 and 4 are aligned to their size, but to 16 bytes at most.
#define CUDAGEN_VECTORS(T, N)                                                                                          \
    struct N##1                                                                                                        \
    {                                                                                                                  \
        T x;                                                                                                           \
    };                                                                                                                 \
    struct __attribute__((aligned(2 * sizeof(T)))) N##2                                                                \
    {                                                                                                                  \
        T x, y;                                                                                                        \
    };                                                                                                                 \
    struct N##3                                                                                                        \
    {                                                                                                                  \
        T x, y, z;                                                                                                     \
    };                                                                                                                 \
    struct __attribute__((aligned(sizeof(T) < 8 ? 4 * sizeof(T) : 16))) N##4                                           \
    {                                                                                                                  \
        T x, y, z, w;                                                                                                  \
    };                                                                                                                 \
    CUDAGEN_BUILTIN N##1 make_##N##1(T x)                                                                              \
    {                                                                                                                  \
        return {x};                                                                                                    \
    }                                                                                                                  \
    CUDAGEN_BUILTIN N##2 make_##N##2(T x, T y)                                                                         \
    {                                                                                                                  \
        return {x, y};                                                                                                 \
    }                                                                                                                  \
    CUDAGEN_BUILTIN N##3 make_##N##3(T x, T y, T z)                                                                    \
    {                                                                                                                  \
        return {x, y, z};                                                                                              \
    }                                                                                                                  \
    CUDAGEN_BUILTIN N##4 make_##N##4(T x, T y, T z, T w)                                                               \
    {                                                                                                                  \
        return {x, y, z, w};                                                                                           \
    }

CUDAGEN_VECTORS(signed char, char)
CUDAGEN_VECTORS(unsigned char, uchar)
CUDAGEN_VECTORS(short, short)
CUDAGEN_VECTORS(unsigned short, ushort)
CUDAGEN_VECTORS(int, int)
CUDAGEN_VECTORS(unsigned, uint)
CUDAGEN_VECTORS(long long, longlong)
CUDAGEN_VECTORS(unsigned long long, ulonglong)
CUDAGEN_VECTORS(float, float)
CUDAGEN_VECTORS(double, double)
#undef CUDAGEN_VECTORS

struct dim3
{
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z)
    {
    }
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z)
    {
    }
    constexpr operator uint3() const
    {
        return {x, y, z};
    }
};

namespace cudagen
{

// Laid out as emu::Indices. Of no type with constructors, so that a const one counts as read-only: read without a hook,
// and only once.
struct Indices
{
    uint3 thread, block, block_size, grid_size;
};
static_assert(sizeof(Indices) == sizeof(emu::Indices), "one layout for both sides");

template <typename T> struct Same // keeps an argument out of template deduction
{
    using type = T;
};
template <typename T> using same = typename Same<T>::type;

// T if it is one of the others; no type otherwise, so that a call with other types matches no function.
template <typename T, bool> struct If
{
};
template <typename T> struct If<T, true>
{
    using type = T;
};
template <typename A, typename B> constexpr bool is_same = false;
template <typename A> constexpr bool is_same<A, A> = true;
template <typename T, typename... Of> using one_of = typename If<T, (is_same<T, Of> || ...)>::type;

template <typename T> CUDAGEN_BUILTIN unsigned long long to_bits(T value)
{
    if constexpr (sizeof(T) == 4)
        return __builtin_bit_cast(unsigned, value);
    else
        return __builtin_bit_cast(unsigned long long, value);
}

template <typename T> CUDAGEN_BUILTIN T from_bits(unsigned long long bits)
{
    if constexpr (sizeof(T) == 4)
        return __builtin_bit_cast(T, static_cast<unsigned>(bits));
    else
        return __builtin_bit_cast(T, bits);
}

template <typename T>
using shuffled = one_of<T, int, unsigned, long, unsigned long, long long, unsigned long long, float, double>;

} // namespace cudagen

// Constant from the view of one CUDA thread, which is the only view that a compiler of kernels has.
extern "C" __thread const cudagen::Indices cudagen_indices __attribute__((tls_model("initial-exec")));

#define threadIdx (cudagen_indices.thread)
#define blockIdx (cudagen_indices.block)
#define blockDim (cudagen_indices.block_size)
#define gridDim (cudagen_indices.grid_size)

static const int warpSize = 32;

// The line and file of a call are its identity: an optimiser may duplicate a call, so its return address is not.
#define CUDAGEN_SITE int line = __builtin_LINE(), const char *file = __builtin_FILE()

CUDAGEN_BUILTIN void __syncthreads(CUDAGEN_SITE)
{
    cudagen_barrier(emu::Barrier::Plain, 0, line, file);
}

CUDAGEN_BUILTIN int __syncthreads_count(int predicate, CUDAGEN_SITE)
{
    return cudagen_barrier(emu::Barrier::Count, predicate, line, file);
}

CUDAGEN_BUILTIN int __syncthreads_and(int predicate, CUDAGEN_SITE)
{
    return cudagen_barrier(emu::Barrier::And, predicate, line, file);
}

CUDAGEN_BUILTIN int __syncthreads_or(int predicate, CUDAGEN_SITE)
{
    return cudagen_barrier(emu::Barrier::Or, predicate, line, file);
}

CUDAGEN_BUILTIN void __syncwarp(unsigned mask = 0xffffffffu, CUDAGEN_SITE)
{
    cudagen_warp(emu::WarpOp::Sync, mask, 0, 0, 32, line, file);
}

// One CUDA thread runs at a time on an OS thread, and blocks on several OS threads meet only in atomics.
CUDAGEN_BUILTIN void __threadfence()
{
#ifdef CUDAGEN_CHECKED
    __asm__ volatile("" ::: "memory");
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

CUDAGEN_BUILTIN void __threadfence_block()
{
    __asm__ volatile("" ::: "memory");
}

#define CUDAGEN_SHUFFLE(name, op, type)                                                                                \
    template <typename T>                                                                                              \
    CUDAGEN_BUILTIN cudagen::shuffled<T> name(unsigned mask, T value, type argument, int width = 32, CUDAGEN_SITE)     \
    {                                                                                                                  \
        return cudagen::from_bits<T>(cudagen_warp(emu::WarpOp::op, mask, cudagen::to_bits(value),                      \
                                                  static_cast<int>(argument), width, line, file));                     \
    }
CUDAGEN_SHUFFLE(__shfl_sync, Shuffle, int)
CUDAGEN_SHUFFLE(__shfl_up_sync, ShuffleUp, unsigned)
CUDAGEN_SHUFFLE(__shfl_down_sync, ShuffleDown, unsigned)
CUDAGEN_SHUFFLE(__shfl_xor_sync, ShuffleXor, int)
#undef CUDAGEN_SHUFFLE

CUDAGEN_BUILTIN unsigned __ballot_sync(unsigned mask, int predicate, CUDAGEN_SITE)
{
    return static_cast<unsigned>(cudagen_warp(emu::WarpOp::Ballot, mask, predicate != 0, 0, 32, line, file));
}

CUDAGEN_BUILTIN int __any_sync(unsigned mask, int predicate, CUDAGEN_SITE)
{
    return static_cast<int>(cudagen_warp(emu::WarpOp::Any, mask, predicate != 0, 0, 32, line, file));
}

CUDAGEN_BUILTIN int __all_sync(unsigned mask, int predicate, CUDAGEN_SITE)
{
    return static_cast<int>(cudagen_warp(emu::WarpOp::All, mask, predicate != 0, 0, 32, line, file));
}

template <typename T> CUDAGEN_BUILTIN unsigned __match_any_sync(unsigned mask, T value, CUDAGEN_SITE)
{
    unsigned long long bits = cudagen::to_bits<cudagen::shuffled<T>>(value);
    return static_cast<unsigned>(cudagen_warp(emu::WarpOp::MatchAny, mask, bits, 0, 32, line, file));
}

CUDAGEN_BUILTIN unsigned __reduce_add_sync(unsigned mask, unsigned value, CUDAGEN_SITE)
{
    return static_cast<unsigned>(cudagen_warp(emu::WarpOp::ReduceAdd, mask, value, 0, 32, line, file));
}

CUDAGEN_BUILTIN int __reduce_add_sync(unsigned mask, int value, CUDAGEN_SITE)
{
    return static_cast<int>(__reduce_add_sync(mask, static_cast<unsigned>(value), line, file));
}

CUDAGEN_BUILTIN unsigned __activemask()
{
    return cudagen_activemask();
}

template <typename T> CUDAGEN_BUILTIN T __ldg(const T* p)
{
    return *p;
}

template <typename T> CUDAGEN_BUILTIN T __ldcs(const T* p)
{
    return *p;
}

template <typename T> CUDAGEN_BUILTIN void __stcs(T* p, cudagen::same<T> value)
{
    *p = value;
}

#include "cudagen_atomics.h"
#include "cudagen_math.h"
#include "cudagen_table.h"
