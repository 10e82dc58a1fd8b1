// settings.cpp - what the environment chooses.
#include "internal.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>

#ifndef CUDAGEN_CHECKED_DEFAULT
#define CUDAGEN_CHECKED_DEFAULT 0
#endif

namespace emu
{

std::recursive_mutex& lock()
{
    static std::recursive_mutex mutex;
    return mutex;
}

namespace
{

void reject(const char* variable, const char* value)
{
    fprintf(stderr, "cudagen: %s=%s is not understood, and ignored\n", variable, value);
}

void read_mode(Settings& settings, const char* value)
{
    if (strcmp(value, "fast") == 0)
        settings.checked = false;
    else if (strcmp(value, "checked") == 0)
        settings.checked = true;
    else
        reject("CUDAGEN_CHECK_MODE", value);
}

void read_order(Settings& settings, const char* value)
{
    if (strcmp(value, "ascending") == 0)
        settings.order = Order::Ascending;
    else if (strcmp(value, "descending") == 0)
        settings.order = Order::Descending;
    else if (strncmp(value, "random:", 7) == 0)
    {
        settings.order = Order::Random;
        settings.seed = strtoull(value + 7, nullptr, 10);
    }
    else
        reject("CUDAGEN_CHECK_ORDER", value);
}

void read_number(const char* variable, int least, int& number)
{
    const char* value = getenv(variable);
    if (!value)
        return;
    char* end;
    long parsed = strtol(value, &end, 10);
    if (end == value || *end || parsed < least || parsed > 1 << 30)
        reject(variable, value);
    else
        number = static_cast<int>(parsed);
}

Settings from_environment()
{
    Settings settings;
    settings.checked = CUDAGEN_CHECKED_DEFAULT != 0;
    if (const char* mode = getenv("CUDAGEN_CHECK_MODE"))
        read_mode(settings, mode);
    if (const char* order = getenv("CUDAGEN_CHECK_ORDER"))
        read_order(settings, order);
    int contract = settings.contract;
    read_number("CUDAGEN_CHECK_CONTRACT", 0, contract);
    settings.contract = contract != 0;
    read_number("CUDAGEN_CHECK_PREEMPT", 0, settings.preempt);
    read_number("CUDAGEN_CHECK_WORKERS", 1, settings.workers);
    return settings;
}

} // namespace

Settings& settings()
{
    static Settings settings = from_environment();
    return settings;
}

} // namespace emu
