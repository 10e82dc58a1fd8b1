namespace CudaGen.Runtime.Tests;

/// <summary>Environment variables that a test may change; they get their values back afterwards.</summary>
internal sealed class EnvironmentVariables(params string[] names) : IDisposable
{
    private readonly (string Name, string? Value)[] _before = [.. names.Select(n => (n, Environment.GetEnvironmentVariable(n)))];

    public string? this[string name]
    {
        set
        {
            Assert.Contains(name, names);
            Environment.SetEnvironmentVariable(name, value);
        }
    }

    public void Dispose()
    {
        foreach ((string name, string? value) in _before)
            Environment.SetEnvironmentVariable(name, value);
    }
}
