"""Run the numeric tests under kernels of OpenBLAS that other processors have: they round in other ways.

A kernel that this processor cannot run, or that its NumPy and SciPy do not have, is left out, which is said.
"""

import os
import subprocess
import sys

KERNELS = {"Haswell": {"Haswell"}, "Prescott": {"Prescott", "Katmai"}}  # and the names by which they report themselves
SUITES = [
    "tests/linear",
    "tests/metrics",
    "tests/predictors",
    "tests/metric_learn/test_documentation_examples.py",  # the others ask the names and arguments of the same solvers
    "tests/test_axioms.py",
]
PROBE = """
import numpy as np, scipy.linalg, threadpoolctl

A = np.random.default_rng(0).normal(size=(200, 150))
S = A.T @ A
np.testing.assert_allclose(S, np.einsum("ki,kj->ij", A, A), atol=1e-9)  # einsum knows no BLAS
for solve in (np.linalg.solve, lambda a, b: scipy.linalg.cho_solve(scipy.linalg.cho_factor(a), b)):
    np.testing.assert_allclose(S @ solve(S, A.T), A.T, atol=1e-9)
for values, V in (np.linalg.eigh(S), scipy.linalg.eigh(S)):
    np.testing.assert_allclose(V * values @ V.T, S, atol=1e-9)
print(*{pool["architecture"] for pool in threadpoolctl.threadpool_info() if pool["internal_api"] == "openblas"})
"""


def run(kernel, *arguments, **options):
    """Run Python with this kernel."""
    return subprocess.run([sys.executable, *arguments], env=os.environ | {"OPENBLAS_CORETYPE": kernel}, **options)


def can_run(kernel):
    """Whether NumPy and SciPy compute with this kernel, and compute what is right."""
    probe = run(kernel, "-c", PROBE, capture_output=True, text=True)
    used = set(probe.stdout.split())
    return probe.returncode == 0 and used != set() and used <= KERNELS[kernel]


def main():
    """Run the tests with each kernel; 0 if they passed."""
    failed, fixed = 0, os.environ.get("OPENBLAS_CORETYPE")
    if fixed:
        print(
            f"-- left out: the environment fixes OPENBLAS_CORETYPE={fixed}, perhaps because others fail here",
            flush=True,
        )
        return 0
    for kernel in KERNELS:
        if not can_run(kernel):
            print(f"-- {kernel}: left out, this machine cannot run it", flush=True)
            continue
        print(f"-- {kernel}", flush=True)
        failed |= run(kernel, "-m", "pytest", "-q", "-n", "2", *SUITES).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
