// libnvrtc_dialect.cpp - what g++ and clang++ accept in a kernel file, and NVRTC does not.
#include "libnvrtc_source.h"

namespace nvrtc
{

namespace
{

class Dialect
{
  public:
    Dialect(Source& source, bool default_device) : source_(source), default_device_(default_device)
    {
    }

    void run()
    {
        check_shared();
        if (!default_device_)
            collect_host_entities();
        for (const Function& function : source_.functions)
            if (is_device(function))
                check_body(function);
    }

  private:
    bool is_device(const Function& function) const
    {
        return function.global || function.device || (default_device_ && !function.host);
    }

    void error(const Token& at, const std::string& text)
    {
        source_.errors +=
            source_.files[static_cast<size_t>(at.file)] + ":" + std::to_string(at.line) + ": error: " + text + "\n";
    }

    void check_shared()
    {
        const std::vector<Token>& tokens = source_.tokens;
        for (size_t i = 0; i < tokens.size(); ++i)
        {
            if (!tokens[i].is("__shared__"))
                continue;
            bool defines_type = false; // the next braces hold the members of a type, not values
            for (size_t k = i; k < tokens.size() && !tokens[k].is(";"); ++k)
            {
                defines_type |= tokens[k].is("union") || tokens[k].is("struct") || tokens[k].is("class");
                if (tokens[k].is("{") && defines_type)
                {
                    k = closing_brace(k);
                    defines_type = false;
                }
                else if (tokens[k].is("=") || tokens[k].is("{"))
                {
                    error(tokens[i], "initializer not allowed for __shared__ variable");
                    break;
                }
            }
        }
    }

    size_t closing_brace(size_t open) const
    {
        size_t depth = 0, k = open;
        for (; k < source_.tokens.size(); ++k)
        {
            if (source_.tokens[k].is("{"))
                ++depth;
            else if (source_.tokens[k].is("}") && --depth == 0)
                break;
        }
        return k;
    }

    void collect_host_entities()
    {
        for (const Function& function : source_.functions)
            if (!function.is_class && !function.device && !function.global)
                host_functions_.insert(function.name);
        for (const Function& function : source_.functions)
            if (function.device)
                host_functions_.erase(function.name); // an overload
        for (const Variable& variable : source_.variables)
            if (!variable.device && !variable.constant && !variable.usable)
                host_variables_.insert(variable.name);
    }

    void check_body(const Function& function)
    {
        const std::vector<Token>& tokens = source_.tokens;
        for (size_t i = function.body_begin; i < function.body_end; ++i)
        {
            const Token& token = tokens[i];
            if (token.kind != Token::Word)
                continue;
            if (token.is("asm") || token.is("__asm__") || token.is("__asm"))
                error(token, "the stand-in cannot run inline PTX: give it C++ under #ifdef CUDAGEN_EMULATOR");
            bool member = i > 0 && (tokens[i - 1].is(".") || tokens[i - 1].is("->") || tokens[i - 1].is("::"));
            if (member)
                continue;
            bool call = i + 1 < tokens.size() && (tokens[i + 1].is("(") || tokens[i + 1].is("<"));
            if (call && host_functions_.count(token.text))
                error(token, "calling a __host__ function(\"" + token.text + "\") from a " +
                                 (function.global ? "__global__" : "__device__") + " function(\"" + function.name +
                                 "\") is not allowed");
            if (host_variables_.count(token.text) && !is_declared_in(function, token.text, i))
                error(token, "identifier \"" + token.text + "\" is undefined in device code");
        }
    }

    // Whether a parameter or a local variable hides the variable of namespace scope: a name behind the name of a type.
    bool is_declared_in(const Function& function, const std::string& name, size_t use) const
    {
        if ((" " + function.parameters + ",").find(" " + name + ",") != std::string::npos)
            return true;
        const std::vector<Token>& tokens = source_.tokens;
        for (size_t i = function.body_begin + 1; i <= use; ++i)
            if (tokens[i].is(name.c_str()) && !tokens[i - 1].is("return") &&
                (tokens[i - 1].kind == Token::Word || (tokens[i - 1].is("*") && tokens[i - 2].kind == Token::Word &&
                                                       (i < 3 || tokens[i - 3].kind == Token::Punctuation))))
                return true;
        return false;
    }

    Source& source_;
    bool default_device_;
    std::set<std::string> host_functions_, host_variables_;
};

} // namespace

void check_dialect(Source& source, bool default_device)
{
    Dialect(source, default_device).run();
}

} // namespace nvrtc
