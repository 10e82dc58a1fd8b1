namespace CudaGen.Runtime.Tests;

public sealed class LiveObjectsTests
{
    [Fact]
    public void Each_kind_is_counted_apart()
    {
        Assert.Equal(0, LiveObjects.Total);
        LiveObjects.Add(LiveObject.Plan);
        LiveObjects.Add(LiveObject.Plan);
        LiveObjects.Add(LiveObject.Arena);
        Assert.Equal((0, 1, 2, 3), (LiveObjects.Count(LiveObject.Device), LiveObjects.Count(LiveObject.Arena),
            LiveObjects.Count(LiveObject.Plan), LiveObjects.Total));
        LiveObjects.Remove(LiveObject.Plan);
        LiveObjects.Remove(LiveObject.Plan);
        LiveObjects.Remove(LiveObject.Arena);
        Assert.Equal(0, LiveObjects.Total);
    }
}
