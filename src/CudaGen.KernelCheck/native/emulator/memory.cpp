// memory.cpp - device memory: buffers between red zones and unmapped gaps, freed ones in quarantine.
#include "memory.h"
#include "shadow.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <sys/mman.h>

namespace emu
{

namespace
{

constexpr size_t page = 4096;
constexpr size_t gap = 64 << 10; // nothing is mapped there: a wild index falls into no other buffer
constexpr size_t red_zone = 256; // on both sides; also keeps the base aligned to as much
constexpr unsigned char red = 0xFB, poison = 0xFF;

constexpr size_t quarantine_bytes = 256 << 20, quarantine_entries = 4096;

struct Registry
{
    std::vector<std::unique_ptr<Region>> regions; // by base
    std::deque<Region*> quarantine;
    size_t quarantined = 0;
    size_t in_use[2] = {0, 0};
    size_t limit = 0;
    uint64_t last_number = 0;
};

Registry& registry()
{
    static Registry* instance =
        new Registry; // never destroyed: other libraries may free memory while the process exits
    return *instance;
}

size_t index_of(Space space)
{
    return space == Space::Pinned ? 1 : 0;
}

// The first region whose base lies above p.
auto above(const void* p)
{
    auto& regions = registry().regions;
    return std::upper_bound(regions.begin(), regions.end(), p,
                            [](const void* address, const auto& region) { return address < region->base; });
}

Region* insert(std::unique_ptr<Region> region)
{
    Region* result = region.get();
    registry().regions.insert(above(region->base), std::move(region));
    return result;
}

void erase(const Region* region)
{
    auto& regions = registry().regions;
    auto position = std::find_if(regions.begin(), regions.end(), [&](const auto& r) { return r.get() == region; });
    if (position != regions.end())
        regions.erase(position);
}

constexpr size_t poison_file_size = 1 << 20;

// A file that is nothing but poison; negative when there can be none. What is mapped of it, privately, is poisoned
// without having been touched, and is so again when the kernel is told that nobody needs it.
int poison_file()
{
    static int file = [] {
        std::vector<char> bytes(poison_file_size, static_cast<char>(poison));
        return make_file("cudagen-poison", bytes.data(), bytes.size());
    }();
    return file;
}

bool map_poison(char* memory, size_t size)
{
    if (poison_file() < 0)
        return false;
    for (size_t done = 0; done < size; done += poison_file_size)
        if (mmap(memory + done, std::min(size - done, poison_file_size), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, poison_file(), 0) == MAP_FAILED)
            return false;
    return true;
}

// Who reads on after a buffer was freed sees NaN.
void poison_again(Region& region)
{
    if (!region.poisoned || madvise(region.mapping + gap, region.mapping_size - 2 * gap, MADV_DONTNEED) != 0)
        memset(region.base, poison, region.size);
}

bool map(Region& region, size_t size)
{
    size_t usable = (red_zone + size + red_zone + page - 1) / page * page;
    size_t total = gap + usable + gap;
    void* memory = mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    region.mapping = static_cast<char*>(memory);
    region.mapping_size = total;
    region.base = region.mapping + gap + red_zone;
    region.poisoned = settings().poison && map_poison(region.mapping + gap, usable);
    if (region.poisoned)
        return true;
    if (mprotect(region.mapping + gap, usable, PROT_READ | PROT_WRITE) != 0)
        return false;
    if (settings().poison)
        memset(region.base, poison, size);
    return true;
}

void lay_red_zones(Region& region)
{
    memset(region.base - red_zone, red, red_zone);
    memset(region.base + region.size, red, red_zone);
}

// Counts changed bytes of a red zone; `nearest` becomes the distance of the changed byte next to the buffer.
size_t changed(const char* zone, bool front, size_t& nearest)
{
    size_t count = 0;
    for (size_t i = 0; i < red_zone; ++i)
    {
        size_t at = front ? red_zone - 1 - i : i;
        if (static_cast<unsigned char>(zone[at]) == red)
            continue;
        if (count++ == 0)
            nearest = i;
    }
    return count;
}

bool untouched(const char* zone)
{
    uint64_t words[red_zone / 8], different = 0;
    memcpy(words, zone, red_zone);
    for (uint64_t word : words)
        different |= word ^ 0xFBFBFBFBFBFBFBFBu;
    return different == 0;
}

bool check_red_zones_of(Region& region, const std::string& when)
{
    const char *front = region.base - red_zone, *back = region.base + region.size;
    if (untouched(front) && untouched(back))
        return true;
    for (bool is_front : {true, false})
    {
        size_t nearest = 0, count = changed(is_front ? front : back, is_front, nearest);
        if (count > 0)
            report(IllegalAddress, when + ": overrun: " + std::to_string(count) + " bytes " +
                                       (is_front ? "before the start" : "behind the end") + " of " + describe(region) +
                                       " were overwritten, the nearest " + std::to_string(nearest + 1) + " away");
    }
    lay_red_zones(region);
    return false;
}

void leave_quarantine()
{
    Registry& r = registry();
    Region* oldest = r.quarantine.front();
    r.quarantine.pop_front();
    r.quarantined -= oldest->size;
    erase(oldest);
}

} // namespace

Region::~Region()
{
    free(cells);
    if (mapping)
        munmap(mapping, mapping_size);
}

void* allocate(size_t size, Space space)
{
    Guard guard(lock());
    Registry& r = registry();
    if (space == Space::Device && r.limit && (size > r.limit || r.in_use[0] > r.limit - size))
        return nullptr;
    auto region = std::make_unique<Region>();
    if (size > SIZE_MAX / 2 || !map(*region, size))
        return nullptr;
    region->size = size;
    region->space = space;
    region->number = ++r.last_number;
    lay_red_zones(*region);
    if (settings().checked && space == Space::Device) // the host writes pinned memory unseen
        region->written.track(size);
    r.in_use[index_of(space)] += size;
    return insert(std::move(region))->base;
}

void set_memory_limit(size_t bytes)
{
    Guard guard(lock());
    registry().limit = bytes;
}

Free release(void* base, Space space)
{
    Guard guard(lock());
    Registry& r = registry();
    Region* region = region_of(base);
    if (!region && base) // an allocation of no bytes holds none
    {
        auto next = above(base);
        region = next == r.regions.begin() ? nullptr : std::prev(next)->get();
    }
    if (!region || region->base != base || region->freed || region->symbol || region->space != space)
        return Free::NotAllocated;
    bool intact = check_red_zones_of(*region, "free of " + describe(*region));
    r.in_use[index_of(space)] -= region->size;
    region->freed = true;
    poison_again(*region);
    free(region->cells);
    region->cells = nullptr;
    region->written.forget();
    r.quarantine.push_back(region);
    r.quarantined += region->size;
    while (r.quarantined > quarantine_bytes || r.quarantine.size() > quarantine_entries)
        leave_quarantine();
    return intact ? Free::Ok : Free::Overrun;
}

Region* region_of(const void* p)
{
    auto next = above(p);
    if (next == registry().regions.begin())
        return nullptr;
    Region* region = std::prev(next)->get();
    return region->offset_of(p) < region->size ? region : nullptr;
}

Region* region_near(const void* p)
{
    auto next = above(p), begin = registry().regions.begin(), end = registry().regions.end();
    auto before = next;
    while (before != begin)
    {
        Region* region = std::prev(before)->get();
        if (region->offset_of(p) < region->size)
            return region;
        if (!region->freed)
            break;
        --before; // next to what was freed is nothing
    }
    while (next != end && (*next)->freed)
        ++next;
    size_t behind =
        before == begin ? SIZE_MAX : std::prev(before)->get()->offset_of(p) - std::prev(before)->get()->size;
    size_t ahead = next == end ? SIZE_MAX : static_cast<size_t>((*next)->base - static_cast<const char*>(p));
    if (std::min(behind, ahead) >= gap)
        return nullptr;
    return behind < ahead ? std::prev(before)->get() : next->get();
}

const Allocation* find(const void* p, size_t size)
{
    Guard guard(lock());
    Region* region = region_of(p);
    return region && size <= region->size - region->offset_of(p) ? region : nullptr;
}

size_t bytes_in_use(Space space)
{
    Guard guard(lock());
    return registry().in_use[index_of(space)];
}

std::vector<Allocation> live_allocations()
{
    Guard guard(lock());
    std::vector<Allocation> live;
    for (const auto& region : registry().regions)
        if (!region->freed && !region->symbol)
            live.push_back(*region);
    return live;
}

std::string describe(const Region& region, const std::string& name)
{
    std::string size = " (" + std::to_string(region.size) + " bytes" + (region.freed ? ", freed)" : ")");
    if (region.symbol)
        return std::string(region.constant ? "__constant__ '" : "__device__ '") + region.symbol + "'" + size;
    return (region.space == Space::Pinned ? "pinned buffer #" : "buffer #") + std::to_string(region.number) +
           (name.empty() ? "" : " '" + name + "'") + size;
}

std::string describe_address(const Region& region, const void* p, const std::string& name)
{
    auto byte = static_cast<const char*>(p) - region.base;
    return "byte " + std::to_string(byte) + " of " + describe(region, name);
}

void add_symbol(const Symbol& symbol, bool constant)
{
    auto region = std::make_unique<Region>();
    region->base = static_cast<char*>(symbol.address);
    region->size = symbol.size;
    region->symbol = symbol.name;
    region->constant = constant;
    insert(std::move(region));
}

void remove_symbol(const Symbol& symbol)
{
    Region* region = region_of(symbol.address);
    if (region && region->symbol)
        erase(region);
}

void forget_unset()
{
    for (const auto& region : registry().regions)
        region->written.forget();
}

void forget_races()
{
    for (const auto& region : registry().regions)
    {
        free(region->cells);
        region->cells = nullptr;
    }
}

bool check_red_zones(const std::string& when)
{
    bool intact = true;
    for (const auto& region : registry().regions)
        if (!region->freed && !region->symbol)
            intact = check_red_zones_of(*region, when) && intact;
    return intact;
}

bool access(const void* p, size_t size, bool write, const char* who, bool may_be_unset)
{
    if (size == 0)
        return true;
    Guard guard(lock());
    auto complain = [&](Status status, const char* what, const std::string& where) {
        report(status, std::string(who) + ": " + what + ": " + (write ? "write" : "read") + " of " +
                           std::to_string(size) + " bytes at " + where);
        return false;
    };
    Region* region = region_near(p);
    if (!region)
        return complain(IllegalAddress, "wild address", "an address in no device buffer");
    size_t offset = region->offset_of(p);
    if (region->freed)
        return complain(IllegalAddress, "use after free", describe_address(*region, p));
    if (offset >= region->size || size > region->size - offset)
        return complain(IllegalAddress, "out of bounds", describe_address(*region, p));
    if (write)
        region->written.mark(offset, size);
    else if (!may_be_unset && settings().checked && settings().unset && !region->written.all(offset, size))
    {
        size_t byte = region->written.first_unwritten(offset, size);
        region->written.mark(offset, size); // said once
        return complain(LaunchFailed, "unset read",
                        describe_address(*region, p) + ": nobody wrote byte " + std::to_string(byte));
    }
    return true;
}

} // namespace emu
