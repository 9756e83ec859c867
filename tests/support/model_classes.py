"""Causal language models of many classes, each as small as it comes, with random weights."""

from __future__ import annotations

from typing import Any

VOCABULARY = 64

#: The settings of a small model of text, whatever its class.
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64, "n_ctx": 64, "initializer_range": 0.2}
_EXPERTS = {
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
}
_LATENT = {
    "q_lora_rank": 8,
    "kv_lora_rank": 8,
    "qk_nope_head_dim": 4,
    "qk_rope_head_dim": 4,
    "v_head_dim": 8,
    "head_dim": 4,
    "num_key_value_heads": 2,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "n_shared_experts": 1,
}
_SPACES = {
    "mamba_n_heads": 4,
    "mamba_d_head": 8,
    "mamba_d_ssm": 32,
    "mamba_d_state": 8,
    "mamba_n_groups": 1,
    "mamba_expand": 2,
    "mamba_chunk_size": 8,
}

#: Name of a class in transformers -> the settings that make it small; None takes a common one away.
CLASSES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {},
    "qwen3": {},
    "olmo": {},
    "olmo2": {},
    "granite": {"logits_scaling": 4.0},
    "gemma": {},
    "gemma2": {"final_logit_softcapping": 0.7},
    "gemma3_text": {},
    "recurrent_gemma": {"lru_width": 16, "block_types": ["recurrent", "attention"], "logits_soft_cap": 0.7},
    "phi": {},
    "phi3": {},
    "stablelm": {},
    "cohere": {"logit_scale": 0.25},
    "starcoder2": {},
    "nemotron": {},
    "bitnet": {},
    "lfm2": {"block_ff_dim": 32, "layer_types": ["conv", "full_attention"]},
    "gpt2": {**_GPT},
    "gpt_neox": {"rotary_pct": 0.5},
    "gptj": {**_GPT, "rotary_dim": 4},
    "opt": {"ffn_dim": 32, "word_embed_proj_dim": 16, "dropout": 0.0},
    "bloom": {"n_layer": 2, "n_head": 2},
    "falcon": {"head_dim": None},
    "mpt": {"d_model": 16, "n_heads": 2, "n_layers": 2, "max_seq_len": 64},
    "xglm": {
        "d_model": 16,
        "ffn_dim": 32,
        "num_layers": 2,
        "attention_heads": 2,
        "dropout": 0.0,
        "activation_dropout": 0.0,
        "attention_dropout": 0.0,
    },
    "openai-gpt": {**_GPT},
    "ctrl": {**_GPT, "dff": 32},
    "rwkv": {"attention_hidden_size": 16, "context_length": 64},
    "mixtral": {**_EXPERTS},
    "qwen3_moe": {**_EXPERTS},
    "olmoe": {**_EXPERTS},
    "granitemoe": {**_EXPERTS},
    "gpt_oss": {**_EXPERTS, "layer_types": ["full_attention", "full_attention"]},
    "phimoe": {"router_jitter_noise": 0.0, "input_jitter_noise": 0.0, **_EXPERTS},
    "deepseek_v3": {**_EXPERTS, **_LATENT},
    "qwen3_next": {
        **_EXPERTS,
        "layer_types": ["linear_attention", "full_attention"],
        "linear_num_value_heads": 2,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "shared_expert_intermediate_size": 16,
    },
    "glm4_moe": {**_EXPERTS, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1, "n_shared_experts": 1},
    "jetmoe": {**_EXPERTS, "kv_channels": 8},
    "llama4_text": {**_EXPERTS, "intermediate_size_mlp": 32},
    "mamba": {"state_size": 4, "expand": 2, "time_step_rank": 2},
    "mamba2": {"state_size": 8, "expand": 2, "num_heads": 4, "head_dim": 8, "n_groups": 1, "chunk_size": 8},
    "falcon_h1": {**_SPACES},
    "jamba": {
        **_EXPERTS,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "use_mamba_kernels": False,
        "mamba_dt_rank": 2,
        "mamba_d_state": 4,
    },
}


def make_model(name: str, **settings: Any) -> Any:
    """Return a model of a class with random weights (seeded) and without dropout."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    shape = {**SHAPE, **CLASSES.get(name, {}), **settings}
    config = AutoConfig.for_model(name, **{key: value for key, value in shape.items() if value is not None})
    model = AutoModelForCausalLM.from_config(config)
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return model
