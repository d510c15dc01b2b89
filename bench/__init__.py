"""The benchmarks: `./dev bench [names] [--long]`. Each holds one of DESIGN.md §8's goals against a floor measured in the same run."""
