// findings.h - what one launch found; becomes reports at its end, when code addresses are given their lines.
#pragma once
#include "internal.h"
#include <cstdint>
#include <unordered_map>

namespace emu
{

// A code address within a text, relative to its module. publish() puts the line in its place.
std::string code_mark(uint32_t code);

class Findings
{
  public:
    // Things found with one key count as one; `text` is asked only for the first.
    template <typename Text> void add(Status status, uint64_t key, Text text)
    {
        std::lock_guard<std::mutex> guard(mutex_);
        auto [position, is_new] = index_.emplace(key, list_.size());
        if (is_new)
            list_.push_back({status, text(), 1});
        else
            ++list_[position->second].count;
    }

    // Reports everything. Returns the status of the first finding, or Success.
    Status publish(Module& module, const char* kernel);

    template <typename... Part> static uint64_t key(Part... parts)
    {
        uint64_t hash = 14695981039346656037u;
        ((hash = (hash ^ static_cast<uint64_t>(parts)) * 1099511628211u, hash ^= hash >> 29), ...);
        return hash;
    }

  private:
    struct Finding
    {
        Status status;
        std::string text;
        uint64_t count;
    };

    std::mutex mutex_; // the workers of a launch add at the same time
    std::vector<Finding> list_;
    std::unordered_map<uint64_t, size_t> index_;
};

} // namespace emu
