# Few words: demo, test, check, long, format, bless, bench.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BUILD := swift build -c release -Xswiftc -enable-testing
OUT := out/demo

.PHONY: help setup demo test check long format bless bench clean

help:
	@echo "make demo    build, compile Llama-3.1-70B for a rack, verify and draw it into $(OUT); a tiny one decodes"
	@echo "make test    run every test"
	@echo "make check   what CI runs: format, tidy, tests"
	@echo "make long    the long seeded runs: 1,000 programs, 10,800 mutants, 20 processes"
	@echo "make bench   what each phase does a second"
	@echo "make format  rewrite the sources in the house style"
	@echo "make bless   rewrite the golden files"

# Graphviz is the one system library; a fresh Debian machine gets it here.
setup:
	@pkg-config --exists libgvc 2>/dev/null || { \
	    echo "installing libgraphviz-dev"; \
	    $$(command -v sudo) apt-get update -qq && \
	    $$(command -v sudo) apt-get install -y -qq libgraphviz-dev pkg-config fonts-liberation \
	        >/dev/null; }

demo: setup
	$(BUILD) --product lpuc
	.build/release/lpuc compile Graphs/llama-3.1-70b.json --machine lpx256 --tp 16 --pp 16 \
	    --weights fp8 --kv fp8 --context 8192 -o $(OUT)
	.build/release/lpuc compile Graphs/tiny-llama.json --machine groqchip1 -o $(OUT)-tiny
	.build/release/lpuc simulate $(OUT)-tiny --tokens 4 --prompt 17

test: setup
	$(BUILD) --build-tests
	swift test -c release -Xswiftc -enable-testing --skip-build

check: setup
	swift format lint --strict --recursive --parallel Sources Tests Examples Benchmarks Package.swift
	$(MAKE) test

# What it found last stands in Documentation/Proof.md; out/mutants.txt is the table there.
long: setup
	mkdir -p out
	$(BUILD) --build-tests
	LPUC_LONG=1 LPUC_MUTANTS=out/mutants.txt swift test -c release -Xswiftc -enable-testing \
	    --skip-build --filter 'SchedulerPropertyTests|MutationTests|ProcessesTests'

bench: setup
	swift run -c release --package-path Benchmarks bench

format:
	swift format --in-place --recursive --parallel Sources Tests Examples Benchmarks Package.swift

bless: setup
	LPUC_BLESS=1 $(MAKE) test

clean:
	rm -rf .build Benchmarks/.build out
