// libnvrtc_source.cpp - finds functions and variables of namespace scope in the tokens of a kernel file.
//
// Not a parser of C++: a declaration ends with a semicolon or with the brace that closes its body, and what it declares
// is told by the words in front of that.
#include "libnvrtc_source.h"
#include "libnvrtc_tokens.h"

namespace nvrtc
{

namespace
{

class Reader
{
  public:
    explicit Reader(Source& source) : source_(source), tokens_(source.tokens)
    {
    }

    void run()
    {
        while (at_ < tokens_.size())
            declaration();
    }

  private:
    struct Scope
    {
        std::string prefix; // "::name" of a namespace, or empty
        bool extern_c;
    };

    bool is(size_t i, const char* text) const
    {
        return i < tokens_.size() && tokens_[i].is(text);
    }

    // Behind the bracket that closes the one at i.
    size_t skip_group(size_t i) const
    {
        int depth = 0;
        for (; i < tokens_.size(); ++i)
        {
            const std::string& text = tokens_[i].text;
            depth += text == "(" || text == "[" || text == "{";
            depth -= text == ")" || text == "]" || text == "}";
            if (depth == 0)
                return i + 1;
        }
        return i;
    }

    size_t skip_angles(size_t i) const
    {
        int depth = 0;
        for (; i < tokens_.size(); ++i)
        {
            depth += tokens_[i].is("<");
            depth -= tokens_[i].is(">");
            if (tokens_[i].is("("))
                i = skip_group(i) - 1;
            else if (depth == 0)
                return i + 1;
        }
        return i;
    }

    void declaration()
    {
        if (is(at_, "}"))
        {
            if (!scopes_.empty())
                scopes_.pop_back();
            ++at_;
        }
        else if (is(at_, ";"))
            ++at_;
        else if (!open_scope())
            entity();
    }

    bool open_scope()
    {
        size_t i = at_;
        if (is(i, "inline"))
            ++i;
        if (is(i, "namespace"))
        {
            std::string prefix;
            for (++i; i < tokens_.size() && !is(i, "{") && !is(i, ";") && !is(i, "="); ++i)
                prefix += tokens_[i].is("::") ? "" : "::" + tokens_[i].text;
            if (!is(i, "{"))
                return false; // an alias
            scopes_.push_back({prefix, false});
        }
        else if (is(i, "extern") && is(i + 1, "\"C\"") && is(i + 2, "{"))
        {
            i += 2;
            scopes_.push_back({"", true});
        }
        else
            return false;
        at_ = i + 1;
        return true;
    }

    std::string qualified(const std::string& name) const
    {
        std::string result;
        for (const Scope& scope : scopes_)
            result += scope.prefix;
        return result + "::" + name;
    }

    bool in_extern_c() const
    {
        for (const Scope& scope : scopes_)
            if (scope.extern_c)
                return true;
        return false;
    }

    void entity()
    {
        Function function;
        size_t begin = at_, i = at_;
        while (is(i, "template"))
        {
            i = skip_angles(i + 1);
            function.is_template = true;
        }
        bool class_key = false, initialised = false;
        size_t parenthesis = 0, end = i; // the parameter list
        for (; end < tokens_.size() && !is(end, ";") && !is(end, "{") && !is(end, "}");)
        {
            const Token& token = tokens_[end];
            class_key = class_key || token.is("struct") || token.is("class") || token.is("union") || token.is("enum");
            initialised = initialised || token.is("=");
            if (token.is("(") && !parenthesis && !initialised && end > begin && !is_attribute(tokens_[end - 1]))
                parenthesis = end;
            end = token.is("(") || token.is("[") ? skip_group(end) : end + 1;
        }
        if (is(end, "}")) // unbalanced: the compiler will say so
        {
            at_ = end;
            if (scopes_.empty())
                ++at_;
        }
        else if (is(end, "{") && parenthesis && !initialised)
            add_function(function, begin, parenthesis, end);
        else if (is(end, "{") && class_key && !initialised)
            add_class(function, i, end);
        else
            add_variables(begin, i, end, parenthesis != 0);
    }

    static bool is_attribute(const Token& token)
    {
        for (const char* name : {"__launch_bounds__", "__align__", "__attribute__", "alignas", "decltype", "explicit"})
            if (token.is(name))
                return true;
        return false;
    }

    void add_function(Function& function, size_t begin, size_t parenthesis, size_t body)
    {
        const Token& name = tokens_[parenthesis - 1];
        function.name = name.text;
        function.qualified_name = qualified(name.text);
        function.file = name.file;
        function.line = name.line;
        function.extern_c = in_extern_c();
        for (size_t i = begin; i < body; ++i)
        {
            function.global = function.global || is(i, "__global__");
            function.device = function.device || is(i, "__device__");
            function.host = function.host || is(i, "__host__");
            function.extern_c = function.extern_c || (is(i, "extern") && is(i + 1, "\"C\""));
            if (is(i, "__launch_bounds__"))
                function.launch_bound = first_argument(i + 1);
        }
        function.parameters = join(parenthesis + 1, skip_group(parenthesis) - 1);
        function.body_begin = body;
        function.body_end = at_ = skip_group(body);
        source_.functions.push_back(function);
    }

    void add_class(Function& function, size_t begin, size_t body)
    {
        for (size_t i = begin; i + 1 < body; ++i)
            if (is(i, "struct") || is(i, "class") || is(i, "union") || is(i, "enum"))
                for (++i; i < body && !is(i, ":"); ++i)
                    function.name = tokens_[i].text; // behind attributes
        function.qualified_name = qualified(function.name);
        function.is_class = true;
        function.body_begin = body;
        function.body_end = at_ = skip_group(body);
        source_.functions.push_back(function);
        while (at_ < tokens_.size() && !is(at_, ";"))
            ++at_; // declarators, of which kernel files have none
    }

    void add_variables(size_t begin, size_t first, size_t end, bool is_call_like)
    {
        Variable variable;
        bool skipped = is_call_like, is_constant = false;
        for (size_t i = begin; i < end; ++i)
        {
            const Token& token = tokens_[i];
            variable.device = variable.device || token.is("__device__");
            variable.constant = variable.constant || token.is("__constant__");
            is_constant = is_constant || token.is("const") || token.is("constexpr");
            skipped = skipped || token.is("using") || token.is("typedef") || token.is("static_assert") ||
                      token.is("__shared__") || token.is("friend") || token.is("template") ||
                      (token.is("extern") && !is(i + 1, "\"C\"")) || token.is("struct") || token.is("class");
        }
        size_t behind = first;
        for (; behind < tokens_.size() && !is(behind, ";") && !(is(behind, "}"));)
        {
            bool ends_name = is(behind, "=") || is(behind, "[") || is(behind, "{") || is(behind, ",");
            if (ends_name && !skipped)
                add_variable(variable, behind, is_constant);
            if (ends_name && !is(behind, ","))
                behind = skip_initialiser(behind);
            else
                behind = is(behind, "(") ? skip_group(behind) : behind + 1;
        }
        if (!skipped && behind > first && tokens_[behind - 1].kind == Token::Word)
            add_variable(variable, behind, is_constant);
        at_ = is(behind, "}") && behind == at_ ? behind + 1 : behind;
    }

    // From the end of a declarator's name to the comma or semicolon behind it.
    size_t skip_initialiser(size_t i) const
    {
        while (i < tokens_.size() && !is(i, ",") && !is(i, ";") && !is(i, "}"))
            i = is(i, "(") || is(i, "[") || is(i, "{") ? skip_group(i) : i + 1;
        return i;
    }

    void add_variable(Variable variable, size_t behind, bool is_constant)
    {
        if (behind == 0 || tokens_[behind - 1].kind != Token::Word)
            return;
        const Token& name = tokens_[behind - 1];
        variable.name = name.text;
        variable.qualified_name = qualified(name.text);
        variable.usable = is_constant && !is(behind, "[");
        variable.file = name.file;
        variable.line = name.line;
        source_.variables.push_back(variable);
    }

    std::string first_argument(size_t parenthesis) const
    {
        size_t end = parenthesis + 1;
        while (end < tokens_.size() && !is(end, ",") && !is(end, ")"))
            end = is(end, "(") ? skip_group(end) : end + 1;
        return join(parenthesis + 1, end);
    }

    std::string join(size_t begin, size_t end) const
    {
        std::string result;
        for (size_t i = begin; i < end; ++i)
        {
            const Token& token = tokens_[i];
            bool starts_word = token.kind != Token::Punctuation;
            bool space = i > begin && starts_word &&
                         (tokens_[i - 1].kind != Token::Punctuation || is(i - 1, "*") || is(i - 1, "&") ||
                          is(i - 1, ">") || is(i - 1, ","));
            result += (space ? " " : "") + token.text;
        }
        return result;
    }

    Source& source_;
    const std::vector<Token>& tokens_;
    std::vector<Scope> scopes_;
    size_t at_ = 0;
};

void find_dynamic_shared(Source& source)
{
    const std::vector<Token>& tokens = source.tokens;
    for (size_t i = 0; i + 1 < tokens.size(); ++i)
    {
        if (!tokens[i].is("extern"))
            continue;
        bool shared = false;
        for (size_t k = i + 1; k + 2 < tokens.size() && !tokens[k].is(";") && !tokens[k].is("{"); ++k)
        {
            shared = shared || tokens[k].is("__shared__");
            if (shared && tokens[k + 1].is("[") && tokens[k + 2].is("]"))
                source.dynamic_shared.insert(tokens[k].text);
        }
    }
}

} // namespace

Source read_source(const std::string& text)
{
    Source source;
    tokenise(text, source);
    Reader(source).run();
    find_dynamic_shared(source);
    return source;
}

} // namespace nvrtc
