# `make help` lists what there is. `make book` and `make test` need Python 3.11+, git and make; all else they fetch.
.DEFAULT_GOAL := help
.PHONY: help env book test fuzz coverage mutants lint lab serve pdf zip bench compat colab strip repository lock licences audit audit-packages audit-site browsers links sbom dist release clean
PYTHON ?= python3
PORT ?= 8000
MINUTES ?= 10

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Threads of torch that wait for work give their core away instead of spinning: kernel, tests and browser share few cores.
export OMP_WAIT_POLICY ?= passive
# The reader's own settings must not change the figures or the models of the book.
export MPLCONFIGDIR := $(CURDIR)/.venv/matplotlib
export YOLO_CONFIG_DIR := $(CURDIR)/.venv/ultralytics
export JUPYTER_PREFER_ENV_PATH := 1
# Building and testing ask no host for anything; `make lab` may (a reader can fetch weights or COCO8 there).
book test coverage mutants bench: export YOLO_OFFLINE := true

help:  ## list the targets (default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

env:  ## make or update .venv: the package, the book's tools, a browser for the tests (7 GB)
	@$(PYTHON) tools/environment.py

book: env  ## execute the chapters that changed and build the site in _build/html
	@python tools/build.py

test: lint book  ## run every test: the package, each chapter, the built site
	@# Two files of tests at a time, each with one thread.
	OMP_NUM_THREADS=1 pytest tests -n 2 --dist loadfile --durations=10

fuzz: env  ## try random arguments for MINUTES=10; SEED=... repeats what was found
	@python tools/fuzz.py $(MINUTES) $(SEED)

coverage: env  ## which lines and branches of the package no test reaches; at most 5 % may be
	@python tools/proof.py && coverage erase
	@# Without the tests that need the built book, and those of pages in a browser.
	@OMP_NUM_THREADS=1 coverage run -m pytest tests -m "not site" -n 2 --dist loadfile -q \
	  $(foreach pages,build execution jupyterlab playground_page,--ignore tests/test_$(pages).py); \
	  tests=$$?; coverage combine --quiet && coverage report && exit $$tests

mutants: env  ## break the code in one place at a time: do the tests notice? FILE=... for one, SEED=... for others
	@python tools/proof.py && python tools/mutants.py $(FILE) $(if $(SEED),--seed $(SEED))

lint: env  ## look at the code's form, and for names that are not there
	@ruff check
	@ruff format --check --quiet || { echo "lint: 'ruff format' writes these files as they should be"; exit 1; }
	@npm --prefix tools run --silent lint

lab: env  ## open JupyterLab on the chapters
	@# In a container the user is often root, whom Jupyter would refuse.
	jupyter lab --allow-root notebooks

serve:  ## show the built site at http://localhost:8000 (PORT=... for another port)
	@test -f _build/html/index.html || { echo "There is no site yet: run 'make book' first."; exit 1; }
	@echo "The book is at http://localhost:$(PORT)/ (Ctrl-C ends it)"
	@$(PYTHON) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

pdf: env  ## print the built site as one book, in dist
	@python tools/pdf.py

zip: env  ## put the built site into one zip that opens without a server or a network, in dist
	@python tools/offline.py

bench: env  ## time dynamic_conv2d beside its alternatives
	python -m dynconv.benchmark

compat:  ## try the oldest and the newest of everything (20 GB more), renew book/compatibility.md; ONLY=newest for some
	@$(PYTHON) tools/compat.py $(ONLY)

colab: env  ## run the chapters on Colab's packages (3 GB more); NOTEBOOK=01 for one, LIST=FILE or newest renews the list
	@python tools/colab.py $(NOTEBOOK) $(if $(LIST),--list "$(LIST)")

strip: env  ## clear the outputs of the notebooks, as they are committed
	jupyter nbconvert --log-level=WARN --clear-output --inplace notebooks/*.ipynb book/*.ipynb

repository:  ## change the public address everywhere: make repository URL=https://github.com/owner/name
	@$(PYTHON) tools/repository.py "$(URL)"

audit: audit-packages audit-site  ## ask for known weaknesses of what is locked; Lighthouse and axe on every page

audit-packages: env
	@python tools/proof.py && python tools/audit_packages.py

audit-site: env  # of the site that `make book` has built
	@python tools/audit_site.py

browsers: env  ## open every page of the built site in Firefox and WebKit, which it installs if it may
	@python tools/browsers.py

links: book  ## ask every link to another site for an answer
	@python tools/links.py

lock: env  ## lock what pyproject.toml asks for, in tools/locked; NEWEST=1 takes the newest versions that fit together
	@python tools/proof.py && python tools/lock.py $(if $(NEWEST),--upgrade)

licences: env  ## renew the tables of book/licence.md
	@python tools/proof.py && python tools/licences.py

sbom: env  ## list what the book and the package are made with, in dist
	@python tools/proof.py && python tools/sbom.py

dist: env  ## build what is published of the package, in dist
	@# The source first, and from it the wheel, with the setuptools of .venv.
	@python tools/proof.py && rm -f dist/dynconv-*.whl dist/dynconv-*.tar.gz && python -m build --no-isolation

release: env  ## prepare a version, VERSION=1.2.3, and say what is left to do; publishes nothing
	@python tools/proof.py && python tools/release.py "$(VERSION)"

clean:  ## remove what was built and what the chapters trained (.venv stays)
	rm -rf _build notebooks/runs notebooks/datasets
