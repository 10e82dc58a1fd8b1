using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Globalization;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>What a person typed behind a program. Whatever is wrong with it is one line: the flag, what was found, what was expected.</summary>
public sealed class FlagValues
{
    private readonly ParseResult _parsed;

    private FlagValues(ParseResult parsed) => _parsed = parsed;

    /// <summary>A flag that has a value. One whose value was forgotten is let through, so that the complaint can say what was expected.</summary>
    public static Option<string?> Flag(string name, string description)
        => new(name) { Description = description, Arity = ArgumentArity.ZeroOrOne };

    /// <summary>A flag that has none.</summary>
    public static Option<bool> Switch(string name, string description, params string[] aliases)
        => new(name, aliases) { Description = description, Arity = ArgumentArity.Zero };

    /// <summary>A value without a flag, which has to be there.</summary>
    public static Argument<string> Place(string name, string description) => new(name) { Description = description };

    /// <summary>A command that does something with what was typed behind it.</summary>
    public static T WithAction<T>(T command, Func<FlagValues, int> action) where T : Command
    {
        ArgumentNullException.ThrowIfNull(command);
        command.SetAction(parsed => action(new(parsed)));
        return command;
    }

    /// <summary>Runs the action of a command, or prints its help. Returns the exit code.</summary>
    /// <exception cref="InputException">There is no such command or flag, or the action threw it.</exception>
    public static int Run(Command command, string[] args)
    {
        ArgumentNullException.ThrowIfNull(command);
        command.Options.Add(new HelpOption());
        ParseResult parsed = Parse(command, args);
        if (parsed.Action is not HelpAction)
            Check(parsed);
        return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    }

    /// <summary>Reads the flags of a command that prints its help itself; null where that is asked for by <c>--help</c>.</summary>
    /// <exception cref="InputException">There is no such flag, or one was given twice.</exception>
    internal static FlagValues? Read(Command command, string[] args)
    {
        FlagValues values = new(Parse(command, args));
        if (values.Has("--help"))
            return null;
        Check(values._parsed);
        return values;
    }

    // '@file' is no file of flags.
    private static ParseResult Parse(Command command, string[] args)
        => command.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });

    private static void Check(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        string[] commands = [.. command.Subcommands.Select(c => c.Name)];
        // The library takes a first word in brackets for an order to itself.
        if (parsed.UnmatchedTokens.Concat(parsed.Tokens.Where(t => t.Type == TokenType.Directive).Select(t => t.Value)).FirstOrDefault() is { } unknown)
            throw new InputException(unknown.StartsWith('-') ? NoSuchFlag(unknown, command) : $"'{unknown}': expected {(commands.Length == 0 ? "a flag; --help lists them" : Either(commands))}");
        if (commands.Length > 0 && parsed.Errors.Count > 0)
            throw new InputException($"found no command, expected {Either(commands)}; --help tells more");
        if (command.Arguments.FirstOrDefault(a => parsed.GetResult(a) is not { Tokens: [{ Value.Length: > 0 }, ..] }) is { } missing)
            throw new InputException($"{missing.Name}: found nothing, expected {missing.Description}");
        IEnumerable<OptionResult> given = parsed.CommandResult.Children.OfType<OptionResult>();
        if (given.FirstOrDefault(o => o.IdentifierTokenCount > 1) is { } twice)
            throw new InputException($"{twice.Option.Name}: given {twice.IdentifierTokenCount} times, expected once");
        if (parsed.Errors is [ParseError error, ..])
            throw new InputException(error.Message.ReplaceLineEndings(" "));
    }

    private static string NoSuchFlag(string token, Command command)
    {
        string name = token.Split('=', ':')[0];
        string? nearest = command.Options.Select(o => o.Name).MinBy(n => Distance(n, name));
        string guess = nearest is not null && Distance(nearest, name) <= 2 ? $"did you mean {nearest}?" : "--help lists the flags";
        return $"{name}: there is no such flag; {guess}";
    }

    // Levenshtein's: letters to insert, delete or change.
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, 1 + Math.Min(row[j], row[j - 1]));
            }
        }
        return row[^1];
    }

    private static string Either(string[] names) => names.Length == 1 ? names[0] : $"{string.Join(", ", names[..^1])} or {names[^1]}";

    private static InputException Wrong(string flag, string found, string expected) => new($"{flag}: found '{found}', expected {expected}");

    /// <summary>Whether a flag was given, with a value or without.</summary>
    public bool Has(string flag) => _parsed.GetResult(flag) is OptionResult { Implicit: false };

    /// <summary>A value without a flag.</summary>
    public string Place(string name) => _parsed.GetRequiredValue<string>(name);

    /// <summary>The value of a flag, null if the flag was not given.</summary>
    /// <exception cref="InputException">It was, without one.</exception>
    public string? Text(string flag, string expected) => Has(flag) ? Texts(flag, 1, expected)[0] : null;

    /// <summary>So many whole numbers behind one flag, null if the flag was not given.</summary>
    /// <exception cref="InputException">There are fewer, or one is out of range.</exception>
    public ulong[]? Whole(string flag, int count, ulong low, ulong high)
    {
        string expected = $"{count} whole numbers from {low} to {high}";
        return Has(flag) ? [.. Texts(flag, count, expected).Select(text => Whole(flag, text, low, high, expected))] : null;
    }

    /// <summary>A whole number, null if the flag was not given.</summary>
    /// <exception cref="InputException">It is none, or out of range.</exception>
    public ulong? Whole(string flag, ulong low, ulong high)
    {
        string expected = $"a whole number from {low} to {high}";
        return Text(flag, expected) is { } text ? Whole(flag, text, low, high, expected) : null;
    }

    /// <summary>The same, for numbers that fit.</summary>
    /// <exception cref="InputException">It is none, or out of range.</exception>
    public int? Whole(string flag, int low, int high) => (int?)Whole(flag, (ulong)low, (ulong)high);

    /// <summary>A number, with a point whatever the language of the system; null if the flag was not given.</summary>
    /// <exception cref="InputException">It is none, or out of range.</exception>
    public float? Number(string flag, float low, float high)
    {
        string expected = string.Create(CultureInfo.InvariantCulture, $"a number from {low} to {high}");
        if (Text(flag, expected) is not { } text)
            return null;
        bool good = float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float value);
        return good && value >= low && value <= high ? value : throw Wrong(flag, text, expected);
    }

    /// <summary>One of several words, null if the flag was not given.</summary>
    /// <exception cref="InputException">It is none of them.</exception>
    public string? Choice(string flag, params string[] choices)
    {
        string expected = Either(choices);
        string? text = Text(flag, expected);
        return text is null || choices.Contains(text) ? text : throw Wrong(flag, text, expected);
    }

    /// <summary>Which implementation of the operations; null if --impl was not given.</summary>
    /// <exception cref="InputException">There is none of that name.</exception>
    public Implementation? Implementation() => Named<Implementation>(Choice("--impl", "auto", "kernel", "library", "cpu", "reference"));

    /// <summary>The precision of products; null if --precision was not given.</summary>
    /// <exception cref="InputException">There is none of that name.</exception>
    public Precision? Precision() => Named<Precision>(Choice("--precision", "fp32", "tf32", "bf16"));

    private static T? Named<T>(string? name) where T : struct, Enum => name is null ? null : Enum.Parse<T>(name, ignoreCase: true);

    /// <summary>The name of a device; whether it is here shows when it is opened. Null if --device was not given.</summary>
    /// <exception cref="InputException">It is no such name.</exception>
    public string? Device()
    {
        const string Flag = "--device", Expected = "auto, cpu, cuda or cuda:N";
        string? text = Text(Flag, Expected);
        bool known = text is null or "auto" or "cpu" or "cuda"
            || (text.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(text.AsSpan(5), NumberStyles.None, null, out _));
        return known ? text : throw Wrong(Flag, text!, Expected);
    }

    private string[] Texts(string flag, int count, string expected)
    {
        string[] texts = [.. _parsed.GetResult(flag)!.Tokens.Select(t => t.Value).Where(t => t.Length > 0)];
        // A flag whose value was forgotten takes the next one for it.
        if (texts.FirstOrDefault(t => t.StartsWith("--", StringComparison.Ordinal)) is { } next)
            throw Wrong(flag, next, expected);
        return texts.Length == count ? texts
            : throw (texts.Length == 0 ? new InputException($"{flag}: found no value, expected {expected}") : Wrong(flag, string.Join(' ', texts), expected));
    }

    private static ulong Whole(string flag, string text, ulong low, ulong high, string expected)
    {
        bool good = ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value);
        return good && value >= low && value <= high ? value : throw Wrong(flag, text, expected);
    }
}
