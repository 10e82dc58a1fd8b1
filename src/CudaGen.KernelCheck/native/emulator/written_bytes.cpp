// written_bytes.cpp - one bit a byte: whether it was written.
#include "memory.h"
#include <cstdlib>

namespace emu
{

namespace
{

// The bits of [first, first + count) that fall into the word with bit `first`, and how many they are.
uint64_t mask_of(size_t first, size_t count, size_t& taken)
{
    size_t bit = first % 64;
    taken = count < 64 - bit ? count : 64 - bit;
    uint64_t ones = taken == 64 ? ~uint64_t{0} : (uint64_t{1} << taken) - 1;
    return ones << bit;
}

} // namespace

WrittenBytes::~WrittenBytes()
{
    forget();
}

void WrittenBytes::track(size_t size)
{
    forget();
    words_ = static_cast<uint64_t*>(calloc(size / 64 + 1, sizeof(uint64_t))); // untouched pages take no memory
}

void WrittenBytes::forget()
{
    free(words_);
    words_ = nullptr;
}

void WrittenBytes::mark_range(size_t first, size_t count)
{
    if (!words_)
        return;
    for (size_t taken; count > 0; first += taken, count -= taken)
        words_[first / 64] |= mask_of(first, count, taken);
}

size_t WrittenBytes::first_unwritten(size_t first, size_t count) const
{
    if (!words_)
        return first + count;
    for (size_t taken; count > 0; first += taken, count -= taken)
    {
        uint64_t missing = mask_of(first, count, taken) & ~words_[first / 64];
        if (missing)
            return first / 64 * 64 + static_cast<size_t>(__builtin_ctzll(missing));
    }
    return first;
}

} // namespace emu
