"""Peers of the models of sequences: recurrent networks, attention, language, alignment."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.course.peers import Peer, Values, enter

PEERS: dict[str, Peer] = {}


def unrolled(cell, x, state):
    """The states of a cell along the time axis of x: [b,t,…]."""
    found = []
    for t in range(x.shape[1]):
        state = cell(x[:, t], state)
        found.append(state)
    return found


@enter(PEERS)
def rnn(x, parity, W, U, β, V) -> Values:
    zero = torch.zeros(len(x), 2, dtype=x.dtype)
    nothing = torch.zeros_like(β)
    states = unrolled(lambda x, h: torch.rnn_tanh_cell(x, h, W, U, β, nothing), x, zero)
    h = torch.stack(states, 1)
    loss = F.cross_entropy((h @ V.T).transpose(1, 2), parity, reduction="none").mean(1)
    return {"h": h, "loss": loss}


@enter(PEERS)
def gru(x, y, Wr, Ur, br, Wz, Uz, bz, Wn, Un, bn, cn) -> Values:
    W, U = torch.cat([Wr, Wz, Wn]), torch.cat([Ur, Uz, Un])
    β, γ = torch.cat([br, bz, bn]), torch.cat([0 * br, 0 * bz, cn])
    zero = torch.zeros(len(x), 3, dtype=x.dtype)
    h = torch.stack(unrolled(lambda x, h: torch.gru_cell(x, h, W, U, β, γ), x, zero), 1)
    return {"h": h, "loss": F.mse_loss(h[:, -1], y, reduction="none").mean(1)}


@enter(PEERS)
def lstm(x, y, Wi, Ui, bi, Wf, Uf, bf, Wo, Uo, bo, Wg, Ug, bg) -> Values:
    W, U = torch.cat([Wi, Wf, Wg, Wo]), torch.cat([Ui, Uf, Ug, Uo])
    β = torch.cat([bi, bf, bg, bo])
    zero = torch.zeros(len(x), 2, dtype=x.dtype)

    def cell(x, state):
        return torch.lstm_cell(x, state, W, U, β, torch.zeros_like(β))

    states = unrolled(cell, x, (zero, zero))
    h = torch.stack([h for h, _ in states], 1)
    c = torch.stack([c for _, c in states], 1)
    return {"h": h, "c": c, "loss": F.mse_loss(h[:, -1], y, reduction="none").sum(1)}


def recurrent(x, W, U, β):
    """The states of a layer of PyTorch's own, from zero."""
    zero = torch.zeros(1, len(x), len(U), dtype=x.dtype)
    weights = [W, U, β, torch.zeros_like(β)]
    return torch.rnn_tanh(x, zero, weights, True, 1, 0.0, False, False, True)[0]


@enter(PEERS)
def bidirectional(x, label, W, U, V, **primed) -> Values:
    zero = torch.zeros(len(U), dtype=x.dtype)
    h = recurrent(x, W, U, zero)
    g = recurrent(x.flip(1), primed["W'"], primed["U'"], zero).flip(1)
    s = h @ V.T + g @ primed["V'"].T
    loss = F.cross_entropy(s.transpose(1, 2), label, reduction="none").mean(1)
    return {"h": h, "g": g, "P": F.softmax(s, 2), "loss": loss}


@enter(PEERS)
def stacked(x, y, W, U, β) -> Values:
    h, levels = x, []
    for weights in zip(W, U, β, strict=True):
        h = recurrent(h, *weights)
        levels.append(h)
    loss = F.mse_loss(h[:, -1], y, reduction="none").mean(1)
    return {"h": torch.stack(levels), "loss": loss}


@enter(PEERS, lambda batch, draws: {"length": draws.integers(1, 4, batch)})
def attention(x, length, target, Wq, Wk, Wv) -> Values:
    mask = (torch.arange(3) < length[:, None])[:, None, :]
    y = F.scaled_dot_product_attention(x @ Wq.T, x @ Wk.T, x @ Wv.T, attn_mask=mask)
    return {"y": y, "loss": F.mse_loss(y, target, reduction="none").mean((1, 2))}


@enter(PEERS)
def transformer(word, target, E, position, Wq, Wk, Wv, Wo, γ0, β0, γ1, β1, U, bu, V, bv) -> Values:
    def heads(W, n):
        return F.linear(n, W.flatten(0, 1)).unflatten(2, W.shape[:2]).transpose(1, 2)

    x = F.embedding(word, E) + position
    n = F.layer_norm(x, (4,), γ0, β0, eps=1e-5)
    q, k, v = heads(Wq, n), heads(Wk, n), heads(Wv, n)
    o = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
    y = x + F.linear(o.flatten(2), Wo.flatten(1))
    m = F.layer_norm(y, (4,), γ1, β1, eps=1e-5)
    z = y + F.linear(F.gelu(F.linear(m, U, bu)), V, bv)
    loss = F.cross_entropy((z @ E.T).transpose(1, 2), target, reduction="none").mean(1)
    return {"n": n, "o": o, "y": y, "z": z, "loss": loss}


def windows(batch, draws):
    """Windows of four letters, and the one after each, that lie inside the text."""
    text = draws.integers(0, 64, 20)
    return {"text": text, "start": draws.integers(0, len(text) - 5, batch)}


@enter(PEERS, windows)
def characters(text, start, E, Q, **p) -> Values:
    def heads(W, n):
        return F.linear(n, W.flatten(0, 1)).unflatten(2, W.shape[:2]).transpose(1, 2)

    def norm(x, γ):
        return F.layer_norm(x, x.shape[-1:], γ, eps=1e-5)

    places = start[:, None] + torch.arange(len(Q))
    z, blocks = F.embedding(text[places], E) + Q, []
    for l in range(len(p["U"])):  # noqa: E741 - the notation's own letter
        n = norm(z, p["γ0"][l])
        q, k, v = (heads(p[name][l], n) for name in ("Wq", "Wk", "Wv"))
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
        y = z + F.linear(o.flatten(2), p["Wo"][l].flatten(1))
        h = F.relu(F.linear(norm(y, p["γ1"][l]), p["U"][l], p["bu"][l]))
        z = y + F.linear(h, p["V"][l], p["bv"][l])
        blocks.append(z)
    scores = norm(z, p["γ2"]) @ E.T
    loss = F.cross_entropy(scores.transpose(1, 2), text[places + 1], reduction="none").mean(1)
    return {"z": torch.stack(blocks), "loss": loss}


@enter(PEERS)
def language_model(word, E, H, β, V) -> Values:
    windows = F.embedding(word, E).unfold(1, 3, 1)[:, :-1]
    h = torch.tanh(torch.einsum("btic,jci->btj", windows, H) + β)
    loss = F.cross_entropy((h @ V.T).transpose(1, 2), word[:, 3:], reduction="none").mean(1)
    return {"h": h, "loss": loss}


@enter(PEERS)
def skip_gram(centre, context, noise, E, F) -> Values:
    embed, log_sigmoid = torch.nn.functional.embedding, torch.nn.functional.logsigmoid
    e = embed(centre, E)
    near = torch.linalg.vecdot(e, embed(context, F))
    far = (embed(noise, F) @ e[:, :, None]).squeeze(2)
    return {"near": near, "loss": -log_sigmoid(near) - log_sigmoid(-far).sum(1)}


def alignable(batch, draws):
    """Words of five times and two labels; every second one says one letter twice."""
    label = draws.integers(1, 3, (batch, 2))
    label[::2, 1] = label[::2, 0]
    label[1::2, 1] = 3 - label[1::2, 0]
    return {"x": draws.normal(size=(batch, 5, 2)), "label": label}


@enter(PEERS, alignable)
def ctc(x, label, W) -> Values:
    log_P = F.log_softmax(x @ W.T, 2)
    times = torch.full((len(x),), x.shape[1])
    lengths = torch.full((len(x),), label.shape[1])
    loss = F.ctc_loss(log_P.transpose(0, 1), label, times, lengths, reduction="none")
    return {"logP": log_P, "loss": loss}
