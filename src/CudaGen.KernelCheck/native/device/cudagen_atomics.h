// cudagen_atomics.h - atomic operations; part of cudagen_device.h.
//
// The checked build runs on one OS thread and announces each operation, so a plain read, change and write is atomic
// there; it is kept from the hooks, which would take it for two plain accesses. The fast build may spread blocks over
// OS threads and exchanges for real.
#pragma once

namespace cudagen
{

template <size_t> struct Word
{
    using type = unsigned;
};
template <> struct Word<8>
{
    using type = unsigned long long;
};

#ifdef CUDAGEN_CHECKED

template <typename T, typename Change>
static __attribute__((noinline, no_sanitize("thread", "undefined"))) T exchange(T* p, Change change)
{
    T old = *p;
    *p = change(old);
    return old;
}

// Inlined, so that the hook's return address lies in the kernel.
template <typename T, typename Change> CUDAGEN_BUILTIN T update(T* p, Change change)
{
    cudagen_atomic(p, sizeof(T));
    return exchange(p, change);
}

#else

template <typename T, typename Change> CUDAGEN_BUILTIN T update(T* p, Change change)
{
    using Bits = typename Word<sizeof(T)>::type;
    Bits* word = reinterpret_cast<Bits*>(p);
    Bits old = __atomic_load_n(word, __ATOMIC_RELAXED);
    for (;;)
    {
        Bits next = __builtin_bit_cast(Bits, change(__builtin_bit_cast(T, old)));
        if (__atomic_compare_exchange_n(word, &old, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return __builtin_bit_cast(T, old);
    }
}

#endif

} // namespace cudagen

// The sum of signed integers wraps, as on a GPU.
#define CUDAGEN_ATOMIC(name, expression, ...)                                                                          \
    template <typename T> CUDAGEN_BUILTIN cudagen::one_of<T, __VA_ARGS__> name(T* p, cudagen::same<T> value)           \
    {                                                                                                                  \
        return cudagen::update(p, [value](T old) -> T { return expression; });                                         \
    }
#define CUDAGEN_WRAPPING(op) cudagen::wrapping(old, value, [](auto a, auto b) { return a op b; })

namespace cudagen
{

template <typename T, typename Op> CUDAGEN_BUILTIN T wrapping(T a, T b, Op op)
{
    if constexpr (is_same<T, int>)
        return static_cast<int>(op(static_cast<unsigned>(a), static_cast<unsigned>(b)));
    else
        return op(a, b);
}

} // namespace cudagen

CUDAGEN_ATOMIC(atomicAdd, CUDAGEN_WRAPPING(+), int, unsigned, unsigned long long, float, double)
CUDAGEN_ATOMIC(atomicSub, CUDAGEN_WRAPPING(-), int, unsigned)
CUDAGEN_ATOMIC(atomicMin, value < old ? value : old, int, unsigned, long long, unsigned long long)
CUDAGEN_ATOMIC(atomicMax, value > old ? value : old, int, unsigned, long long, unsigned long long)
CUDAGEN_ATOMIC(atomicExch, ((void)old, value), int, unsigned, unsigned long long, float)
CUDAGEN_ATOMIC(atomicAnd, old& value, int, unsigned, unsigned long long)
CUDAGEN_ATOMIC(atomicOr, old | value, int, unsigned, unsigned long long)
CUDAGEN_ATOMIC(atomicXor, old ^ value, int, unsigned, unsigned long long)
CUDAGEN_ATOMIC(atomicInc, old >= value ? 0 : old + 1, unsigned)
CUDAGEN_ATOMIC(atomicDec, old == 0 || old > value ? value : old - 1, unsigned)
#undef CUDAGEN_ATOMIC
#undef CUDAGEN_WRAPPING

template <typename T>
CUDAGEN_BUILTIN cudagen::one_of<T, int, unsigned, unsigned long long> atomicCAS(T* p, cudagen::same<T> compare,
                                                                                cudagen::same<T> value)
{
    return cudagen::update(p, [compare, value](T old) -> T { return old == compare ? value : old; });
}
