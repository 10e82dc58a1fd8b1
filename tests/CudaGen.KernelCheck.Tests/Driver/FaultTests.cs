using static CudaGen.KernelCheck.Tests.Driver.Session;

namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>Calls that fail on demand, and the count of calls.</summary>
[Collection(OneProcess.Name)]
public sealed unsafe class FaultTests
{
    [Fact]
    public void The_nth_call_of_a_name_fails_and_does_nothing() => Run(() =>
    {
        ulong first, second = 0, third;
        Control.Fail("cuMemAlloc_v2", 2, Result.OutOfMemory);
        Check(Api.cuMemAlloc_v2(&first, 4));
        Assert.Equal((Result.OutOfMemory, 0ul), (Api.cuMemAlloc_v2(&second, 4), second));
        Check(Api.cuMemAlloc_v2(&third, 4));
        Check(Api.cuMemFree_v2(first));
        Check(Api.cuMemFree_v2(third));
    });

    [Fact]
    public void Faults_can_be_many_and_taken_back() => Run(() =>
    {
        Control.Configure("fail", "cuCtxSynchronize:1:999,cuStreamSynchronize:1:400,cuInit:1:3");
        Assert.Equal((999, 400, 3), (Api.cuCtxSynchronize(), Api.cuStreamSynchronize(0), Api.cuInit(0)));
        Assert.Equal((0, 0, 0), (Api.cuCtxSynchronize(), Api.cuStreamSynchronize(0), Api.cuInit(0)));
        Control.Fail("cuCtxSynchronize", 1, 999);
        Control.FailNothing();
        Check(Api.cuCtxSynchronize());
    });

    [Theory]
    [InlineData("fail", "cuInit"), InlineData("fail", "cuInit:1"), InlineData("fail", "cuInit:0:1"), InlineData("fail", ":1:1")]
    [InlineData("fail", "cuInit:1:"), InlineData("fail", "cuInit:x:1"), InlineData("fail", "cuInit:1:1x")]
    [InlineData("order", "sideways"), InlineData("order", "random:"), InlineData("order", "random:x"), InlineData("mode", "slow")]
    [InlineData("preempt", "-1"), InlineData("memory", "much"), InlineData("colour", "1"), InlineData("workers", "")]
    public void A_setting_that_is_none_is_refused(string key, string value) => Run(() =>
    {
        Assert.Throws<ArgumentException>(() => Control.Configure(key, value));
        Assert.Equal("CPU stand-in, checked", Control.Description);
    });

    [Fact]
    public void Calls_are_counted_by_name() => Run(() =>
    {
        long before = Control.CallCount("cuCtxSynchronize"), all = Control.CallCount();
        Check(Api.cuCtxSynchronize());
        Check(Api.cuCtxSynchronize());
        Assert.Equal((before + 2, all + 2), (Control.CallCount("cuCtxSynchronize"), Control.CallCount()));
        Assert.Equal(0, Control.CallCount("cuNothing"));
        Assert.Contains("cuCtxSynchronize", Control.CallNames);
        Assert.Equal(Control.CallNames.Distinct(), Control.CallNames);
        Assert.Equal("cuInit", Control.CallNames[0]);
    });
}
