// cudagen_table.h - what the end of a compiled module says of its kernels; part of cudagen_device.h.
#pragma once

namespace cudagen
{

template <emu::Size... I> struct Sequence
{
};
template <emu::Size N, emu::Size... I> struct Count : Count<N - 1, N - 1, I...>
{
};
template <emu::Size... I> struct Count<0, I...>
{
    using type = Sequence<I...>;
};

template <typename T> constexpr bool is_pointer = false;
template <typename T> constexpr bool is_pointer<T*> = true;

template <int N> struct Parameters
{
    emu::Parameter list[N + 1]; // one too many, as there may be none
};

template <typename... A> constexpr Parameters<sizeof...(A)> lay_out()
{
    Parameters<sizeof...(A)> result{{{0, sizeof(A), alignof(A), is_pointer<A>}..., {}}};
    emu::Size offset = 0;
    for (emu::Size i = 0; i < sizeof...(A); ++i)
    {
        emu::Parameter& p = result.list[i];
        p.offset = (offset + p.align - 1) / p.align * p.align;
        offset = p.offset + p.size;
    }
    return result;
}

template <auto K> struct Entry
{
    static_assert(K != K, "a __global__ function returns void");
};

template <typename... A, void (*K)(A...)> struct Entry<K>
{
    static constexpr Parameters<sizeof...(A)> parameters = lay_out<A...>();

    // Reads the host's arguments, which are no business of the hooks.
    template <emu::Size... I>
    static __attribute__((no_sanitize("thread", "undefined"))) void call(void** arguments, Sequence<I...>)
    {
        K(*static_cast<A*>(arguments[I])...);
    }

    static __attribute__((no_sanitize("thread", "undefined"))) void thunk(void** arguments)
    {
        call(arguments, typename Count<sizeof...(A)>::type());
    }

    static constexpr emu::Kernel describe(const char* name, const char* signature, int launch_bound)
    {
        return {name, thunk, sizeof...(A), parameters.list, signature, launch_bound, 0};
    }
};

} // namespace cudagen
