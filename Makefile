# Two commands do everything on a fresh machine with Python 3.11+ and make: `make app` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8501

.PHONY: app test test-full test-faults check lint bench mlflow-ui clean

app: .venv/.installed  ## open the dashboard on http://127.0.0.1:8501
	$(BIN)/streamlit run app --server.port $(PORT)

test: .venv/.browser  ## the fast suite, in a real browser too
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-full: .venv/.browser  ## everything, the long forms included
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-faults: .venv/.installed  ## the long fault tests: processes killed at random moments
	$(BIN)/python -m pytest -n 2 -m "faults and slow" tests/faults

check: lint  ## while you work: lint, types, and the tests that the change under way can break
	$(BIN)/python tests/affected.py

lint: .venv/.installed  ## style, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.installed  ## measure against what a user would otherwise pick; writes benchmarks/results/
	$(BIN)/python -m benchmarks

mlflow-ui: .venv/.installed  ## MLflow's own UI on http://127.0.0.1:5000
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
	MLFLOW_BACKEND_STORE_URI="$$($(BIN)/python -c 'from tracking.store import default_uri, ensure_store; uri = default_uri(); ensure_store(uri); print(uri)')" \
	$(BIN)/mlflow server --workers 1 --host 127.0.0.1 --port 5000

clean:  ## remove the environment, never the store
	rm -rf .venv

.venv/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Sweepboard needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.browser: .venv/.installed tests/browser/install.py
	$(BIN)/python tests/browser/install.py
	@touch $@
