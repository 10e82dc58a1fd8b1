// shadow.h - the checked build's view of every load and store: bounds, unset reads, races.
//
// Happens-before within one launch: the same thread; a barrier of the block in between; or, within a warp, a __syncwarp
// that both lanes took part in, by vector clocks. Blocks of one launch are never ordered; launches always are.
#pragma once
#include "memory.h"
#include "scheduler.h"
#include <array>
#include <unordered_map>

namespace emu
{

// The last write of a 4-byte word, or those who read it or changed it by atomic operations, which do not conflict among
// each other. Blocks are numbered through all launches, from 1; 0: none.
struct Access
{
    enum Who : uint8_t
    {
        One,
        Lanes, // several lanes of one warp: `clock` is the index of what is known of each
        Warps, // several warps of one block, or lanes that only a barrier orders: `clock` is the barrier epoch
        Blocks,
    };

    // Whole bytes: with bits across them, an access would wait for its own stores when it is copied.
    uint32_t block, code, clock;
    uint16_t thread;
    uint8_t mask : 4;        // bytes of the word
    uint8_t has_atomics : 4; // of a cell's write: there is an entry of the word among the atomics
    Who who;
};

struct Cell
{
    Access write, read;
};

class Checker
{
  public:
    void begin_launch(Worker& worker, char* shared);
    void begin_block(unsigned threads);
    void barrier_passed();
    void warp_synchronised(unsigned warp, unsigned lanes);

    enum class Kind
    {
        Read,
        Write,
        Atomic,
    };
    void access(const void* p, size_t size, Kind kind, uintptr_t code);
    std::string describe(const void* p) const; // in the kernel's terms
    [[noreturn]] void misaligned_atomic(const void* p, size_t size, uintptr_t code);

  private:
    using LaneClocks = std::array<uint32_t, warp_size>;

    struct Lanes
    {
        uint32_t epoch;
        LaneClocks clocks; // 0: the lane did nothing
        LaneClocks codes;
    };

    struct SharedCell
    {
        Cell cell;
        uint32_t block; // in which the bytes of `mask` were written
        unsigned mask;
    };

    // One access, while it is checked.
    struct Now
    {
        Thread* thread;
        const char* p;
        size_t size;
        Kind kind;
        uint32_t code;
    };

    void turn();
    void grant();
    bool is_settled(size_t offset) const;
    void check_shared(const Now& now, size_t offset);
    void check_region(const Now& now, Region& region);
    Region* find_region(const Now& now);
    const Module& module() const;

    [[noreturn]] void fail_address(const Now& now, const Region* near);
    [[noreturn]] void fail_shared(const Now& now, size_t offset);
    void map_shared();
    void check_shared_bounds(const Now& now, size_t offset);
    std::string describe_shared(size_t offset) const;
    std::string parameter_of(const Region& region) const;
    static std::string opening(const char* what, const Now& now);
    std::string by(const Now& now) const;
    void report_unset(const Now& now);

    void check_race(Cell& cell, unsigned mask, const Now& now, bool shared);
    void check_against(const Access& others, const char* what, unsigned mask, const Now& now, uint32_t oldest);
    void note(Access& group, const Access& mine, uint32_t oldest);
    bool ordered(const Access& group, const Thread& me) const;
    bool lane_ordered(unsigned thread, uint32_t clock, const Thread& me) const;
    unsigned unordered_lane(const Access& group, const Thread& me) const;
    void report_race(const Now& now, const Access& other, const char* what);
    uint32_t take_lanes();
    void drop(Access& group);
    void add_lane(const Access& group, const Access& mine);

    Worker* worker_ = nullptr;
    Launch* launch_ = nullptr;
    char* shared_ = nullptr;
    size_t shared_size_ = 0, dynamic_begin_ = 0, dynamic_end_ = 0;
    bool races_ = true, unset_ = true, warp_operations_ = true;

    uint32_t block_ = 0, first_block_ = 1; // of this launch
    uint32_t epoch_ = 0;                   // barriers passed in this block
    unsigned threads_ = 0;
    uint32_t clock_[max_threads];         // advances at each synchronisation of the thread
    uint32_t barrier_clock_[max_threads]; // accesses with a lower clock lie before the last barrier
    LaneClocks known_[max_threads];       // up to which clock this thread is ordered behind each lane of its warp

    std::vector<SharedCell> shared_cells_;
    std::vector<uint16_t> shared_owner_; // of each byte: which array, from 1; 0: none that this kernel may touch
    std::vector<Lanes> lanes_;           // of this block
    std::vector<uint32_t> free_lanes_;
    std::unordered_map<const Cell*, Access> atomics_; // of this launch

    static constexpr unsigned region_slots = 64;
    Region* recent_[region_slots] = {}; // by page

    Random random_{0};
    int64_t budget_ = 0, granted_ = 0; // accesses until another thread gets its turn
    uint64_t spent_[max_threads];      // accesses of each thread in this block
};

} // namespace emu
