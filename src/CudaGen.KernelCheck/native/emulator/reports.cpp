// reports.cpp - the list of what was found.
#include "internal.h"
#include <algorithm>
#include <deque>

namespace emu
{

namespace
{

struct Reports
{
    std::deque<std::string> texts; // a deque, as callers keep pointers to texts
    Status sticky = Success;
};

Reports& reports()
{
    static Reports* instance = new Reports; // outlives the statics of other libraries
    return *instance;
}

} // namespace

void report(Status status, const std::string& text)
{
    Guard guard(lock());
    Reports& r = reports();
    if (r.sticky == Success)
        r.sticky = status;
    bool known = std::find(r.texts.begin(), r.texts.end(), text) != r.texts.end();
    if (!known && static_cast<int>(r.texts.size()) < settings().max_reports)
        r.texts.push_back(text);
}

Status sticky_status()
{
    Guard guard(lock());
    return reports().sticky;
}

int report_count()
{
    Guard guard(lock());
    return static_cast<int>(reports().texts.size());
}

const char* report_text(int i)
{
    Guard guard(lock());
    Reports& r = reports();
    return i >= 0 && i < static_cast<int>(r.texts.size()) ? r.texts[static_cast<size_t>(i)].c_str() : "";
}

void clear_reports()
{
    Guard guard(lock());
    reports() = Reports();
}

} // namespace emu
