using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace CudaGen.KernelCheck;

/// <summary>
/// Drives the stand-ins of one folder, loaded in this process: what they report, count and leave behind, and how kernels run.
/// All stand-ins of a process share this state.
/// </summary>
public sealed unsafe class StandInControl
{
    private readonly delegate* unmanaged[Cdecl]<byte*> _description, _buildId, _explanation;
    private readonly delegate* unmanaged[Cdecl]<byte*, byte*, int> _configure;
    private readonly delegate* unmanaged[Cdecl]<int> _reportCount;
    private readonly delegate* unmanaged[Cdecl]<int, byte*> _report;
    private readonly delegate* unmanaged[Cdecl]<void> _clearReports;
    private readonly delegate* unmanaged[Cdecl]<byte*, nint> _callCount;
    private readonly delegate* unmanaged[Cdecl]<byte*, int, int> _callNames, _leaks;

    /// <param name="folder">What <see cref="StandIns.Build"/> returned.</param>
    public StandInControl(string folder)
    {
        nint library = NativeLibrary.Load(Path.Combine(folder, StandIns.Emulator));
        nint Find(string name) => NativeLibrary.GetExport(library, name);
        _description = (delegate* unmanaged[Cdecl]<byte*>)Find("cudagen_description");
        _buildId = (delegate* unmanaged[Cdecl]<byte*>)Find("cudagen_build_id");
        _explanation = (delegate* unmanaged[Cdecl]<byte*>)Find("cudagen_explanation");
        _configure = (delegate* unmanaged[Cdecl]<byte*, byte*, int>)Find("cudagen_configure");
        _reportCount = (delegate* unmanaged[Cdecl]<int>)Find("cudagen_report_count");
        _report = (delegate* unmanaged[Cdecl]<int, byte*>)Find("cudagen_report");
        _clearReports = (delegate* unmanaged[Cdecl]<void>)Find("cudagen_clear_reports");
        _callCount = (delegate* unmanaged[Cdecl]<byte*, nint>)Find("cudagen_call_count");
        _callNames = (delegate* unmanaged[Cdecl]<byte*, int, int>)Find("cudagen_call_names");
        _leaks = (delegate* unmanaged[Cdecl]<byte*, int, int>)Find("cudagen_leaks");
    }

    /// <summary>"CPU stand-in, checked" and the like.</summary>
    public string Description => Text(_description());

    /// <summary>Changes with the sources and flags of the stand-ins.</summary>
    public string BuildId => Text(_buildId());

    /// <summary>Why the last call of this thread failed, when it did so without a report; may be empty.</summary>
    public string Explanation => Text(_explanation());

    /// <summary>What was found wrong since <see cref="Clear"/>, one line each.</summary>
    public IReadOnlyList<string> Reports => [.. Enumerable.Range(0, _reportCount()).Select(i => Text(_report(i)))];

    /// <summary>Forgets reports, the error that sticks after the first of them, and leaks of destroyed contexts.</summary>
    public void Clear() => _clearReports();

    /// <summary>Whether modules that are compiled from now on are checked as they run.</summary>
    public bool Checked
    {
        set => Configure("mode", value ? "checked" : "fast");
    }

    /// <summary>In which order threads, blocks, streams and branches of graphs run: ascending, descending or random:SEED.</summary>
    public string Order
    {
        set => Configure("order", value);
    }

    /// <summary>Bytes of memory that the device has.</summary>
    public long Memory
    {
        set => Configure("memory", value.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Sets one of the settings by its name; those without a property are contract, preempt, workers, poison, races and unset.</summary>
    /// <exception cref="ArgumentException">There is no such key or value.</exception>
    public void Configure(string key, string value)
    {
        fixed (byte* k = Bytes(key), v = Bytes(value))
            if (_configure(k, v) != 0)
                throw new ArgumentException($"found {key}={value}, which the stand-ins do not understand");
    }

    /// <summary>From now on, the nth call of a native function, from 1, fails with a status of its library.</summary>
    public void Fail(string function, int nth, int status) =>
        Configure("fail", string.Create(CultureInfo.InvariantCulture, $"{function}:{nth}:{status}"));

    /// <summary>No call fails on demand any more.</summary>
    public void FailNothing() => Configure("fail", "");

    /// <summary>How often a native function was called in this process; without a name: all of them.</summary>
    public long CallCount(string? function = null)
    {
        fixed (byte* name = function is null ? null : Bytes(function))
            return _callCount(name);
    }

    /// <summary>The native functions that were called, in the order of their first calls.</summary>
    public IReadOnlyList<string> CallNames
    {
        get
        {
            byte[] text = new byte[_callNames(null, 0)];
            fixed (byte* to = text)
                _ = _callNames(to, text.Length);
            return Lines(text);
        }
    }

    /// <summary>Allocations and objects that are alive, or were when their context was destroyed.</summary>
    public IReadOnlyList<string> Leaks
    {
        get
        {
            for (int size = 4096; ; size *= 2)
            {
                byte[] text = new byte[size];
                fixed (byte* to = text)
                    _ = _leaks(to, size);
                if (text[size - 2] == 0)
                    return Lines(text);
            }
        }
    }

    private static byte[] Bytes(string text) => [.. Encoding.UTF8.GetBytes(text), 0];

    private static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    private static string[] Lines(byte[] text) =>
        Encoding.UTF8.GetString(text, 0, Array.IndexOf(text, (byte)0)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
