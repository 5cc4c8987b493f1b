# install, demo, test, lint and bench each set up what they need, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The tests start hundreds of interpreters: each would compile what it imports anew.
unexport PYTHONDONTWRITEBYTECODE

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: install demo docs example screenshots test test-all lint format prices bench collector jaeger browser clean

install: $(READY)

# uv resolves within constraints.txt, so that a new release of a dependency does not break a build by itself.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --group dev --editable '.[instruments,local]'
	touch $(READY)

demo: $(READY)
	$(BIN)/otel-costs demo

# What each module promises, in minutes. TESTS narrows them: make test TESTS="tests/pricing/test_pricing.py -k golden"
test: $(READY)
	$(BIN)/python -m pytest $(TESTS)

# All tests: also every version of the SDK, long courses of faults, floods of spans, and whole matrices.
test-all: $(READY)
	$(BIN)/python -m pytest --long $(TESTS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The pages that are made from code.
docs: $(READY)
	$(BIN)/python -m docs.generate

# The pictures of the pages in the README and the docs, taken in a browser of a store that it fills.
screenshots: $(READY) browser
	$(BIN)/python -m docs.images.screenshots

# What the report app's pages show of the demo, for who has no call yet.
example: $(READY)
	$(BIN)/python -m docs.example

# Our prices beside litellm's and genai-prices': what is not explained in benchmarks/price_differences.yaml is shown.
prices: $(READY)
	$(BIN)/python -m benchmarks.price_comparison

# BENCH names some of them: make bench BENCH=added_time
bench: $(VENV)-bench/.ready
	$(VENV)-bench/bin/python -m benchmarks $(BENCH)

# Apart from .venv: opentelemetry-instrument would load the instrumentations that we are measured beside.
$(VENV)-bench/.ready: $(READY)
	test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(BIN)/uv pip install --quiet --python $(VENV)-bench/bin/python --prerelease if-necessary-or-explicit --group dev --group bench --editable '.[instruments,local]'
	touch $@

# The OpenTelemetry Collector for collector/*.yaml; prints where it is. Needs Go, and some minutes the first time.
collector:
	@$(PYTHON) collector/build.py

# The real Jaeger for the tests, built from its pinned module, once.
jaeger:
	@$(PYTHON) tests/jaeger/build.py

# The browser in which the tests click through the report page: Debian's Chromium and its driver, where they are not there yet.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
		$(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver; }

constraints: $(READY)
	$(BIN)/uv pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url --all-extras --group dev pyproject.toml --output-file constraints.txt

clean:
	rm -rf $(VENV) $(VENV)-bench
