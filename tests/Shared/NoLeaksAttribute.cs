using System.Reflection;
using CudaGen.Runtime;
using Xunit.v3;

namespace CudaGen.Tests;

/// <summary>
/// Fails a test that leaves a device, an arena or a plan behind. On the assembly it watches every test; the count is one
/// of the process, so the tests of such an assembly run one after the other.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class NoLeaksAttribute : BeforeAfterTestAttribute
{
    public override void Before(MethodInfo methodUnderTest, IXunitTest test) => Check("before");

    public override void After(MethodInfo methodUnderTest, IXunitTest test) => Check("after");

    private static void Check(string when)
    {
        foreach (LiveObject kind in Enum.GetValues<LiveObject>())
        {
            int alive = LiveObjects.Count(kind);
            if (alive == 0)
                continue;
            // One failing test must not fail all that follow it.
            for (int i = 0; i < alive; i++)
                LiveObjects.Remove(kind);
            Assert.Fail($"{alive} objects of kind {kind} are alive {when} the test");
        }
    }
}
