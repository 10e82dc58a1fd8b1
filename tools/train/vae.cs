#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// Convolutional variational autoencoder: learns to draw digits from noise.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("vae", "trains a convolutional variational autoencoder on digits", DataKind.Grey,
    r =>
    {
        ConvSizes sizes = new(r.Image, r.Latent ?? 20);
        return new ConvVae(r.Recipe == Recipe.Seed ? ConvVaeOptions.Seed(sizes) : ConvVaeOptions.Canonical(sizes));
    },
    [
        "reconstruction: seed squared error averaged over pixels, canonical cross-entropy summed over them",
        "second head: seed sigma and ln(sigma^2 + 1e-8), canonical ln sigma^2 (Kingma and Welling 2014)",
        "learning rate of Adam: seed 1e-4, canonical 1e-3; epsilon: seed as TensorFlow, canonical as the paper",
        "so seed's posterior collapses, and canonical's does not",
    ]), args);
