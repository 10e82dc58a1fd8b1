// calls.cpp - the count of native calls, faults on demand, and the C interface for programs that drive the stand-ins.
#include "stream_state.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <unordered_map>

#ifndef CUDAGEN_BUILD_ID
#define CUDAGEN_BUILD_ID "unknown"
#endif

namespace emu
{

namespace
{

struct Fault
{
    std::string name;
    long remaining; // calls until the one that fails
    int status;
};

struct Calls
{
    std::mutex lock;
    std::unordered_map<std::string, long> counts;
    std::vector<std::string> names; // in the order of first calls
    long total = 0;
    std::vector<Fault> faults;
};

// "name:n:status[,...]"; false when it reads otherwise.
bool parse_faults(const char* text, std::vector<Fault>& faults)
{
    std::istringstream list(text);
    for (std::string item; std::getline(list, item, ',');)
    {
        size_t first = item.find(':'), second = item.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos)
            return false;
        char *end_of_number, *end_of_status;
        long number = std::strtol(item.c_str() + first + 1, &end_of_number, 10);
        long status = std::strtol(item.c_str() + second + 1, &end_of_status, 10);
        if (first == 0 || number < 1 || *end_of_number != ':' || *end_of_status != 0 || end_of_status[-1] == ':')
            return false;
        faults.push_back({item.substr(0, first), number, int(status)});
    }
    return true;
}

Calls& calls();

// At the end of the process: a log that is there is whole.
void write_log()
{
    const char* path = std::getenv("CUDAGEN_CHECK_CALLS");
    std::lock_guard<std::mutex> lock(calls().lock);
    FILE* file = std::fopen(path, "w");
    if (!file)
    {
        std::fprintf(stderr, "CUDAGEN_CHECK_CALLS: cannot write %s\n", path);
        return;
    }
    for (const std::string& name : calls().names)
        std::fprintf(file, "%s %ld\n", name.c_str(), calls().counts[name]);
    std::fclose(file);
}

Calls& calls()
{
    // Never destroyed: other threads may call while the process exits.
    static Calls& all = *[] {
        auto* fresh = new Calls;
        if (const char* faults = std::getenv("CUDAGEN_CHECK_FAIL"))
            if (!parse_faults(faults, fresh->faults))
                std::fprintf(stderr, "CUDAGEN_CHECK_FAIL: found '%s', expected name:n:status[,...]\n", faults);
        if (std::getenv("CUDAGEN_CHECK_CALLS"))
            std::atexit(write_log);
        return fresh;
    }();
    return all;
}

int copy_text(const std::string& text, char* to, int size)
{
    if (to && size > 0)
    {
        size_t length = std::min(text.size(), size_t(size) - 1);
        std::memcpy(to, text.data(), length);
        to[length] = 0;
    }
    return int(text.size()) + 1;
}

std::string& explanation()
{
    thread_local std::string text;
    return text;
}

bool parse_number(const char* text, long& value)
{
    char* end;
    value = std::strtol(text, &end, 10);
    return end != text && *end == 0 && value >= 0;
}

bool parse_order(const std::string& text)
{
    long seed;
    if (text == "ascending")
        settings().order = Order::Ascending;
    else if (text == "descending")
        settings().order = Order::Descending;
    else if (text.rfind("random:", 0) == 0 && parse_number(text.c_str() + 7, seed))
    {
        settings().order = Order::Random;
        settings().seed = uint64_t(seed);
    }
    else
        return false;
    return true;
}

bool configure(const std::string& key, const std::string& value)
{
    if (key == "order")
        return parse_order(value);
    if (key == "fail")
    {
        std::vector<Fault> faults;
        if (!parse_faults(value.c_str(), faults))
            return false;
        std::lock_guard<std::mutex> lock(calls().lock);
        calls().faults = std::move(faults);
        return true;
    }
    if (key == "mode")
    {
        if (value != "checked" && value != "fast")
            return false;
        settings().checked = value == "checked";
        return true;
    }
    long number;
    if (!parse_number(value.c_str(), number))
        return false;
    if (key == "contract")
        settings().contract = number != 0;
    else if (key == "preempt")
        settings().preempt = int(number);
    else if (key == "workers")
        settings().workers = int(number);
    else if (key == "poison")
        settings().poison = number != 0;
    else if (key == "races")
        settings().races = number != 0;
    else if (key == "unset")
        settings().unset = number != 0;
    else if (key == "memory")
        set_device_memory(size_t(number));
    else
        return false;
    return true;
}

} // namespace

void explain(const std::string& reason)
{
    explanation() = reason;
}

int call(const char* name)
{
    // A failed call is followed by a question for the text of its status.
    if (!std::strstr(name, "Error") && !std::strstr(name, "Status"))
        explanation().clear();
    Calls& all = calls();
    std::lock_guard<std::mutex> lock(all.lock);
    long& count = all.counts[name];
    if (count++ == 0)
        all.names.push_back(name);
    ++all.total;
    int status = 0;
    for (Fault& fault : all.faults)
        if (fault.name == name && --fault.remaining == 0)
            status = fault.status;
    return status;
}

} // namespace emu

// ---- C interface ----------------------------------------------------------------------------------------------------

using namespace emu;

const char* cudagen_description(void)
{
    return settings().checked ? "CPU stand-in, checked" : "CPU stand-in, fast";
}

const char* cudagen_build_id(void)
{
    return CUDAGEN_BUILD_ID;
}

int cudagen_configure(const char* key, const char* value)
{
    std::lock_guard<std::recursive_mutex> lock(driver_lock());
    return key && value && configure(key, value) ? 0 : 1;
}

int cudagen_report_count(void)
{
    return report_count();
}

const char* cudagen_report(int i)
{
    return i >= 0 && i < report_count() ? report_text(i) : nullptr;
}

void cudagen_clear_reports(void)
{
    std::lock_guard<std::recursive_mutex> lock(driver_lock());
    clear_reports();
    forget_leaks_of_destroyed_contexts();
}

const char* cudagen_explanation(void)
{
    return explanation().c_str();
}

long cudagen_call_count(const char* name)
{
    std::lock_guard<std::mutex> lock(calls().lock);
    if (!name)
        return calls().total;
    auto found = calls().counts.find(name);
    return found == calls().counts.end() ? 0 : found->second;
}

int cudagen_call_names(char* text, int size)
{
    std::lock_guard<std::mutex> lock(calls().lock);
    std::string names;
    for (const std::string& name : calls().names)
        names += name + '\n';
    return copy_text(names, text, size);
}

int cudagen_leaks(char* text, int size)
{
    std::lock_guard<std::recursive_mutex> lock(driver_lock());
    std::vector<std::string> all = leaks();
    std::string lines;
    for (const std::string& line : all)
        lines += line + '\n';
    copy_text(lines, text, size);
    return int(all.size());
}
