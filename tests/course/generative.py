"""Peers of the models that generate: two autoencoders."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

from tests.course.peers import Peer, Values, enter

PEERS: dict[str, Peer] = {}


def pixels(batch, draws):
    return {"x": draws.uniform(size=(batch, 4))}


@enter(PEERS, pixels)
def vae(x, We, be, Wμ, bμ, Wρ, bρ, Wd, bd, Wy, by, eps) -> Values:
    h = torch.tanh(F.linear(x, We, be))
    μ, σ = F.linear(h, Wμ, bμ), torch.exp(F.linear(h, Wρ, bρ) / 2)
    logits = F.linear(torch.tanh(F.linear(μ + σ * eps, Wd, bd)), Wy, by)
    made = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    divergence = kl_divergence(Normal(μ, σ), Normal(0.0, 1.0)).sum(1)
    return {"reconstruction": made, "KL": divergence, "loss": made + divergence}


@enter(PEERS)
def vq_vae(x, We, E, Wd) -> Values:
    z = F.linear(x, We)
    code = torch.cdist(z, E).argmin(1)
    e = F.embedding(code, E)
    q = z + (e - z).detach()
    made = F.mse_loss(F.linear(q, Wd), x, reduction="none").sum(1)
    book = F.mse_loss(e, z.detach(), reduction="none").sum(1)
    commitment = F.mse_loss(z, e.detach(), reduction="none").sum(1)
    return {"code": code, "q": q, "book": book, "loss": made + book + commitment / 4}
