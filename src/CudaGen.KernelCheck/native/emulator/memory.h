// memory.h - the registry of device memory: what buffers there are, and which of their bytes anybody wrote.
#pragma once
#include "internal.h"
#include <memory>

namespace emu
{

struct Cell; // shadow.h

// One bit a byte: whether it was written. A default one tracks nothing: every byte counts as written.
class WrittenBytes
{
  public:
    WrittenBytes() = default;
    ~WrittenBytes();
    WrittenBytes(const WrittenBytes&) = delete;
    WrittenBytes& operator=(const WrittenBytes&) = delete;

    void track(size_t size); // from now on, with no byte written yet
    void forget();           // every byte counts as written

    void mark(size_t first, size_t count)
    {
        if (words_ && within_word(first, count))
            words_[first / 64] |= small_mask(first, count);
        else
            mark_range(first, count);
    }
    bool all(size_t first, size_t count) const
    {
        if (words_ && within_word(first, count))
            return (small_mask(first, count) & ~words_[first / 64]) == 0;
        return first_unwritten(first, count) == first + count;
    }
    size_t first_unwritten(size_t first, size_t count) const; // first + count when there is none

  private:
    static bool within_word(size_t first, size_t count)
    {
        return count < 64 && first % 64 + count <= 64;
    }
    static uint64_t small_mask(size_t first, size_t count)
    {
        return ((uint64_t{1} << count) - 1) << first % 64;
    }
    void mark_range(size_t first, size_t count);

    uint64_t* words_ = nullptr;
};

struct Region : Allocation
{
    const char* symbol = nullptr; // the name of a __device__ or __constant__ variable, or null
    bool constant = false;
    char* mapping = nullptr; // null for a variable, whose memory is its module's
    size_t mapping_size = 0;
    bool poisoned = false; // its pages are of a file of poison, until they are written
    WrittenBytes written;
    Cell* cells = nullptr; // one for each 4 bytes, once a checked kernel was here

    Region() : Allocation{nullptr, 0, Space::Device, false, 0}
    {
    }
    ~Region();
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;

    size_t offset_of(const void* p) const // wraps for addresses below the base
    {
        return static_cast<size_t>(static_cast<const char*>(p) - base);
    }
};

// All without taking the lock.
Region* region_of(const void* p);   // that holds the byte
Region* region_near(const void* p); // the same, or the live one next to the byte, less than a gap away
std::string describe(const Region& region, const std::string& name = ""); // "buffer #3 'y' (4000 bytes)"
void add_symbol(const Symbol& symbol, bool constant);
void remove_symbol(const Symbol& symbol);
void forget_unset();                           // after a kernel whose writes nobody saw
void forget_races();                           // drops every cell
bool check_red_zones(const std::string& when); // false after a report

// "byte 4000 of buffer #3 (4000 bytes)", for an address that region_near knows.
std::string describe_address(const Region& region, const void* p, const std::string& name = "");

} // namespace emu
