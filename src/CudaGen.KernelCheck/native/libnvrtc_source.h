// libnvrtc_source.h - what has to be known of a kernel file's text before a host compiler sees it.
#pragma once
#include <set>
#include <string>
#include <vector>

namespace nvrtc
{

struct Token
{
    enum Kind
    {
        Word,
        Number,
        Text, // a string or character literal
        Punctuation,
    };

    Kind kind;
    std::string text;
    int file, line; // the file as an index

    bool is(const char* expected) const
    {
        return text == expected;
    }
};

// A function of namespace scope, or a class with the functions in it.
struct Function
{
    std::string name, qualified_name;
    bool global = false, device = false, host = false;
    bool is_class = false, is_template = false;
    bool extern_c = false;
    std::string parameters, launch_bound; // texts
    size_t body_begin = 0, body_end = 0;  // tokens
    int file = 0, line = 0;
};

// A variable of namespace scope.
struct Variable
{
    std::string name, qualified_name;
    bool device = false, constant = false; // __device__, __constant__
    bool usable = false;                   // in device code though it has no space: a constant scalar
    int file, line;
};

struct Source
{
    std::vector<std::string> files;
    std::vector<Token> tokens;
    std::vector<Function> functions;
    std::vector<Variable> variables;
    std::set<std::string> dynamic_shared; // names declared "extern __shared__"
    std::string errors;                   // lines "k.cu:17: error: ..."
};

// Reads preprocessed text, with its line markers.
Source read_source(const std::string& text);

// Finds what a host compiler would accept and NVRTC does not; adds to the errors.
void check_dialect(Source& source, bool default_device);

// The text that ends a module: the tables of its kernels and variables.
std::string module_table(const Source& source, bool checked);

} // namespace nvrtc
