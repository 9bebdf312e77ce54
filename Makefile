# Every target sets up what it needs in .venv; a fresh clone needs only make and Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS := 1

.PHONY: help demo test coverage lint bench bench-linear doc screenshots test-oldest test-kernels test-dist dist clean
.NOTPARALLEL:

help:         ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /make \1\t/p' Makefile | expand -t 20

demo: .venv/with-plot          ## compare the methods on the digits: a table and figures/embedding.png
	$(BIN)/python examples/demo.py

test: .venv/with-test          ## run the tests and the examples of the docstrings
	$(BIN)/pytest -q -n 2

coverage: .venv/with-test .venv/with-coverage ## run the tests, and show which lines of the package they do not run: htmlcov/index.html
	$(BIN)/pytest -q -n 2 --cov --cov-report term --cov-report html

lint: .venv/with-lint          ## check the style, the spelling and the types that users see; change nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/basedpyright --pythonpath $(BIN)/python tests/static_types.py

bench: .venv/with-test         ## run the benchmarks, on small problems
	for script in examples/benchmarks/bench_*.py; do $(BIN)/python $$script --quick || exit 1; done

bench-linear: .venv/with-test .venv-metric-learn/done ## the linear learners beside metric-learn: ten minutes or more
	$(BIN)/python examples/benchmarks/bench_linear.py --peer .venv-metric-learn/bin/python

doc: .venv/with-doc            ## build the documentation, with its examples, in a few minutes
	rm -rf doc/api
	$(BIN)/sphinx-build -q -W --keep-going -j 2 -b html doc doc/_build/html
	$(BIN)/python doc/links.py
	@echo "The documentation: $(CURDIR)/doc/_build/html/index.html"

screenshots: .venv/with-screenshots ## look at the built documentation in headless Chromium: pictures and checks
	$(BIN)/python doc/screenshots.py

test-oldest: .venv-oldest/done ## run the tests, without examples, with the oldest supported versions
	.venv-oldest/bin/pytest -q -n 2 tests

test-kernels: .venv/with-test  ## run the numeric tests as other processors would: with other kernels of OpenBLAS
	$(BIN)/python .ci/kernels.py

dist: .venv/with-dist          ## build the sdist and the wheel: dist/
	$(BIN)/python -m build .

test-dist: .venv/with-test .venv/with-dist ## run tests from the sdist, and from the wheel with and without PyTorch
	.ci/test-dist

clean:                         ## remove the environments and everything that was built
	rm -rf .venv .venv-oldest .venv-metric-learn build dist figures htmlcov .coverage* doc/_build doc/api doc/auto_examples *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -r {} +

# .venv/with-plot is the package, editable, with the extra "plot" of setup.cfg; and so on.
.venv/with-%: setup.cfg pyproject.toml .ci/constraints.txt
	@echo "Setting up .venv [$*]: this takes a minute or two the first time."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c .ci/constraints.txt -e '.[$*]'
	@touch $@

.venv-oldest/done: setup.cfg pyproject.toml .ci/constraints-oldest.txt
	@echo "Setting up .venv-oldest: this takes a minute or two the first time."
	@test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	@.venv-oldest/bin/python -m pip install -qq --disable-pip-version-check -c .ci/constraints-oldest.txt -e '.[test]'
	@touch $@

.venv-metric-learn/done: .ci/constraints-metric-learn.txt
	@echo "Setting up .venv-metric-learn: this takes a minute or two the first time."
	@test -x .venv-metric-learn/bin/python || $(PYTHON) -m venv .venv-metric-learn
	@.venv-metric-learn/bin/python -m pip install -qq --disable-pip-version-check -r .ci/constraints-metric-learn.txt
	@touch $@
