#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// Wasserstein GAN with a gradient penalty (Gulrajani et al. 2017) on faces.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("wgan-gp", "trains a Wasserstein GAN with a gradient penalty on pictures", DataKind.Faces,
    r =>
    {
        WganGpSizes sizes = WganGpSizes.For(r.Image, r.Channels, r.Latent ?? 128);
        return r.Recipe == Recipe.Seed ? WganGp.Tutorial(sizes, r.Tricks) : WganGp.Canonical(sizes, r.Tricks);
    },
    [
        "where the penalty looks: seed a normal alpha, which leaves the line between real and generated, canonical a uniform one (the paper)",
        "three updates of the critic: seed on the same images, canonical on new ones (the paper)",
        "critic: seed dropout 0.3 and slopes 0.2, 0.3, 0.2, 0.2, canonical no dropout and slopes 0.2",
        "images of a step: seed 512, canonical 64 (the paper)",
        "epsilon of Adam: seed 1e-7 on the uncorrected root (Keras), canonical 1e-8 on the corrected one (the paper)",
    ])
{ Batch = r => r == Recipe.Seed ? 512 : 64, Epochs = 25, Flags = [ModelFlags.Size, .. ModelFlags.OfCritics] }, args);
