using CudaGen.Kernels.Cpu;

namespace CudaGen.Kernels.Tests;

public class PanelsTests
{
    [Fact]
    public void Panels_cover_all_columns_once_and_are_wide_where_there_are_enough()
    {
        int width = Dispatch.Width, most = Dispatch.MaxColumns;
        for (int n = 1; n <= 70 * width; n++)
        {
            Panels panels = new(n);
            int vectors = (n + width - 1) / width, next = 0;
            for (int i = 0; i < panels.Count; i++)
            {
                Assert.Equal(next, panels.Column(i));
                Assert.InRange(panels.Width(i), width, most * width);
                Assert.Equal(Math.Min(n - next, panels.Width(i)), panels.Valid(i));
                // Five vectors are the last that three and four cannot make up.
                if (most == 4 && vectors > 5)
                    Assert.InRange(panels.Width(i), 3 * width, 4 * width);
                next += panels.Width(i);
            }
            Assert.Equal(vectors * width, next);
        }
    }
}
