# make demo: everything at http://127.0.0.1:8000/ (PORT=… HOST=… DATA_DIR=…)
# make demo EMPTY=1 DATA_DIR=…: the same without the demo project, to make one of your own
# make test, make lint; make fuzz sends the API a hundred examples an operation and role
# make bench (PICTURES=… to import, SNAPSHOT=… to train on, PEOPLE=… with crowd/ and cifar10/)
# make services: tests that need rabbitmq-server and pgbouncer, from the system's packages
# make deployment: the files of deploy/ before schemas that are fetched, and the tools that are here
# make chaos (SCENARIOS=… for some; as root): many machines' worth of parts, each killed once
# make wheel builds the wheel, installs it, and uses it from an empty folder
# make captcha-clients (CLIENTS=… for some): unmodified clients of other CAPTCHAs against this one
# Each makes its own environment in .venv first.

PYTHON := .venv/bin/python
PICTURES := config/demo_project/node_modules/@lobehub/fluent-emoji-3d/assets
SNAPSHOT := $(lastword $(sort $(wildcard .data/media/snapshots/*)))
PEOPLE :=
EMPTY :=
CLIENTS :=
SCENARIOS :=
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
.PHONY: demo test services deployment lint fuzz bench chaos wheel captcha-clients environment

demo: environment
	@exec $(PYTHON) labeling/processes.py $$PPID 15 $(PYTHON) manage.py demo $(if $(EMPTY),--empty)

test: environment
	@$(PYTHON) -m tests.chromium
	@$(PYTHON) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

fuzz: environment
	@FUZZ_EXAMPLES=100 $(PYTHON) -m pytest tests/labeling/api/test_fuzz.py

services: environment
	@SERVICES=1 $(PYTHON) -m pytest tests/services
	@THROUGH_PGBOUNCER=1 $(PYTHON) -m pytest --reuse-db tests/labeling

lint: environment
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports

bench: environment
	@$(PYTHON) -m config.demo_project.fetch
	$(PYTHON) tests/benchmarks/clone_to_ready.py
	$(PYTHON) tests/benchmarks/import_speed.py "$(PICTURES)"
	$(PYTHON) -m tests.benchmarks.challenges_over_http
	$(PYTHON) -m tests.benchmarks.submit_to_next
	$(PYTHON) -m tests.benchmarks.captcha_solves --worker
	$(PYTHON) -m tests.benchmarks.captcha_widget
	$(PYTHON) -m tests.benchmarks.answers_over_processes
	$(PYTHON) -m tests.benchmarks.database_round_trips
	$(PYTHON) tests/benchmarks/web_speed.py
	$(PYTHON) -m tests.benchmarks.recognising_tiles "$(PICTURES)"
	$(PYTHON) tests/benchmarks/admin_lists.py
	$(if $(SNAPSHOT),,@echo "Not measured for want of SNAPSHOT=folder:")
	$(if $(SNAPSHOT),,@echo) $(PYTHON) tests/benchmarks/training_speed.py "$(SNAPSHOT)"
	$(if $(SNAPSHOT),,@echo) $(PYTHON) tests/benchmarks/drawing_speed.py "$(SNAPSHOT)"
	$(if $(SNAPSHOT),,@echo) $(PYTHON) -m tests.benchmarks.judges "$(SNAPSHOT)" .data/cache/judges
	$(PYTHON) tests/benchmarks/kv_cache.py
	$(PYTHON) -m tests.benchmarks.lora_speed
	$(PYTHON) -m tests.benchmarks.ranks
	$(PYTHON) tests/benchmarks/choosing.py
	$(PYTHON) tests/benchmarks/million.py
	$(PYTHON) tests/benchmarks/online_cost.py
	$(PYTHON) tests/benchmarks/aggregation_speed.py
	$(PYTHON) tests/benchmarks/agreement.py
	$(PYTHON) tests/benchmarks/snapshot_speed.py
	$(PYTHON) tests/benchmarks/export_speed.py
	$(if $(PEOPLE),,@echo "Not measured for want of PEOPLE=folder:")
	$(if $(PEOPLE),,@echo) $(PYTHON) tests/benchmarks/aggregation.py "$(PEOPLE)/crowd"
	$(if $(PEOPLE),,@echo) $(PYTHON) tests/benchmarks/calibration.py "$(PEOPLE)/crowd"
	$(if $(PEOPLE),,@echo) $(PYTHON) tests/benchmarks/tempering.py "$(PEOPLE)/crowd"
	$(if $(PEOPLE),,@echo) $(PYTHON) tests/benchmarks/replay.py "$(PEOPLE)/crowd"
	$(if $(PEOPLE),,@echo) $(PYTHON) tests/benchmarks/crowd_and_model.py "$(PEOPLE)/cifar10"
	$(if $(PEOPLE),,@echo) $(PYTHON) -m tests.benchmarks.uncertain_labels "$(PEOPLE)/cifar10"
	$(if $(PEOPLE),,@echo) $(PYTHON) tests/benchmarks/frugality.py "$(PEOPLE)"
	$(if $(PEOPLE),,@echo) $(PYTHON) tests/benchmarks/poisoning.py "$(PEOPLE)"

deployment: environment
	@$(PYTHON) -m pip install -q --target .venv/deployment importlib_resources kubernetes-validate==1.37.0
	@npm install --silent --no-save --prefix .venv/deployment dclint@3.1.0
	@PYTHONPATH=.venv/deployment $(PYTHON) -m pytest tests/deploy

wheel: environment
	@$(PYTHON) scripts/try_wheel.py

chaos: environment
	@$(PYTHON) -m tests.chaos $(SCENARIOS)

captcha-clients: environment
	@$(PYTHON) -m tests.captcha_clients $(CLIENTS)

environment:
	@scripts/environment
