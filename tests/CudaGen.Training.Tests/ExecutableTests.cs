using CudaGen.Runtime;

namespace CudaGen.Training.Tests;

public sealed class ExecutableTests : IDisposable
{
    private readonly StringWriter _errors = new() { NewLine = "\n" };

    public void Dispose() => _errors.Dispose();

    [Fact]
    public void A_body_that_works_gives_its_own_code()
    {
        Assert.Equal(3, Executable.Guard(() => 3, _errors));
        Assert.Equal("", _errors.ToString());
    }

    public static TheoryData<Exception> Expected =>
    [
        new InputException("--batch: found\n'0'"), new DeviceException("--batch: found\n'0'"), new IOException("--batch: found\n'0'"),
        new UnauthorizedAccessException("--batch: found\n'0'"),
    ];

    [Theory, MemberData(nameof(Expected))]
    public void An_expected_error_is_one_line_and_code_2(Exception e)
    {
        Assert.Equal(2, Executable.Guard(() => throw e, _errors));
        Assert.Equal("error: --batch: found '0'\n", _errors.ToString());
    }

    [Fact]
    public void An_interrupt_is_code_130() => Assert.Equal(130, Executable.Guard(() => throw new OperationCanceledException(), _errors));

    [Fact]
    public void A_mistake_in_the_program_is_not_hidden() =>
        Assert.Throws<InvalidOperationException>(() => Executable.Guard(() => throw new InvalidOperationException(), _errors));
}
