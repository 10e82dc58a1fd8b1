// file.cpp - files that exist in memory alone.
#include "internal.h"
#include <sys/mman.h>
#include <unistd.h>

namespace emu
{

namespace
{

bool write_all(int file, const void* data, size_t size)
{
    auto bytes = static_cast<const char*>(data);
    while (size > 0)
    {
        ssize_t count = write(file, bytes, size);
        if (count <= 0)
            return false;
        bytes += count;
        size -= static_cast<size_t>(count);
    }
    return true;
}

} // namespace

int make_file(const char* name, const void* data, size_t size)
{
    int file = memfd_create(name, MFD_CLOEXEC);
    if (file >= 0 && !write_all(file, data, size))
    {
        close(file);
        return -1;
    }
    return file;
}

} // namespace emu
