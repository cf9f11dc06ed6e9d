"""Networks of the families that people export most, in torch alone, with seeded weights: small relatives of the real ones.

NETWORKS maps a name to a function that returns (module, example arguments, names of inputs, names of outputs, dynamic shapes).
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

# ------------------------------------------------------------------------------------------------- convolutional networks


class Residual(nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outside), nn.BatchNorm2d(outside)])
        self.shortcut = None
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x):
        y = F.relu(self.norms[0](self.first(x)))
        y = self.norms[1](self.second(y))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nn.Module):
    def __init__(self, widths=(64, 128, 256, 512), classes=1000):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 7, 2, 3, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        blocks, inside = [], widths[0]
        for i, width in enumerate(widths):
            blocks += [Residual(inside, width, 1 if i == 0 else 2), Residual(width, width, 1)]
            inside = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inside, classes)

    def forward(self, x):
        return self.head(torch.flatten(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1), 1))


class UNetStep(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(8, inside), nn.GroupNorm(8, outside)])
        self.convolutions = nn.ModuleList([nn.Conv2d(inside, outside, 3, 1, 1), nn.Conv2d(outside, outside, 3, 1, 1)])
        self.time = nn.Linear(128, outside)
        self.shortcut = nn.Conv2d(inside, outside, 1)

    def forward(self, x, time):
        y = self.convolutions[0](F.silu(self.norms[0](x))) + self.time(time)[:, :, None, None]
        return self.shortcut(x) + self.convolutions[1](F.silu(self.norms[1](y)))


class UNet(nn.Module):
    """As diffusion models have it: GroupNorm, SiLU, a time embedding, attention at the bottom, nearest upsampling."""

    def __init__(self, width=32):
        super().__init__()
        self.enter = nn.Conv2d(4, width, 3, 1, 1)
        self.time = nn.Sequential(nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, 128))
        self.down = nn.ModuleList([UNetStep(width, width), UNetStep(width, 2 * width)])
        self.shrink = nn.ModuleList([nn.Conv2d(width, width, 3, 2, 1), nn.Conv2d(2 * width, 2 * width, 3, 2, 1)])
        self.middle = UNetStep(2 * width, 2 * width)
        self.attention = Attention(2 * width, 4)
        self.up = nn.ModuleList([UNetStep(4 * width, 2 * width), UNetStep(3 * width, width)])
        self.leave = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, 4, 3, 1, 1))

    def forward(self, x, step):
        angles = step[:, None].float() * torch.exp(torch.arange(32) * (-math.log(10000.0) / 32))
        time = self.time(torch.cat([angles.sin(), angles.cos()], dim=1))
        x, kept = self.enter(x), []
        for block, shrink in zip(self.down, self.shrink):
            x = block(x, time)
            kept.append(x)
            x = shrink(x)
        x = self.middle(x, time)
        batch, channels, height, width = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        x = x + self.attention(tokens).transpose(1, 2).reshape(batch, channels, height, width)
        for block in self.up:
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), kept.pop()], dim=1), time)
        return self.leave(x)


class Fused(nn.Sequential):
    def __init__(self, inside, outside, kernel=1, stride=1):
        super().__init__(nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outside), nn.SiLU())


class Split(nn.Module):
    """A YOLO block: half of the channels go through bottlenecks, all of them are joined."""

    def __init__(self, width):
        super().__init__()
        self.enter, self.leave = Fused(width, width), Fused(width + width // 2, width)
        self.inner = nn.Sequential(Fused(width // 2, width // 2, 3), Fused(width // 2, width // 2, 3))

    def forward(self, x):
        a, b = self.enter(x).chunk(2, dim=1)
        return self.leave(torch.cat([a, b, b + self.inner(b)], dim=1))


def suppress(boxes, scores, limit=100, threshold=0.45):
    """Greedy non-maximum suppression of fixed size: in the order of scores, a box falls that a kept one covers."""
    scores, order = scores.topk(limit)
    boxes = boxes[order]
    low, high = torch.maximum(boxes[:, None, :2], boxes[None, :, :2]), torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    both = (high - low).clamp(min=0).prod(dim=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    covers = (both / (area[:, None] + area[None, :] - both + 1e-7) > threshold).float().triu(diagonal=1)
    keep = torch.ones(limit)
    for _ in range(4):
        keep = ((keep[:, None] * covers).sum(dim=0) == 0).float()
    return torch.cat([boxes, scores.sigmoid()[:, None], keep[:, None]], dim=1)


class Yolo(nn.Module):
    def __init__(self, width=16, classes=20):
        super().__init__()
        self.classes = classes
        self.steps = nn.ModuleList([
            nn.Sequential(Fused(3, width, 3, 2), Fused(width, 2 * width, 3, 2), Split(2 * width), Fused(2 * width, 4 * width, 3, 2),
                          Split(4 * width)),
            nn.Sequential(Fused(4 * width, 8 * width, 3, 2), Split(8 * width))])
        self.join = Split(12 * width)
        self.heads = nn.ModuleList([nn.Conv2d(12 * width, 4 + classes, 1), nn.Conv2d(8 * width, 4 + classes, 1)])

    def forward(self, picture):
        fine = self.steps[0](picture)
        coarse = self.steps[1](fine)
        joined = self.join(torch.cat([fine, F.interpolate(coarse, scale_factor=2.0, mode="nearest")], dim=1))
        boxes, scores = [], []
        for stride, head, features in ((8, self.heads[0], joined), (16, self.heads[1], coarse)):
            found = head(features)
            rows, columns = found.shape[2:]
            y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            centre = torch.stack([x, y]).float() + 0.5
            ends = F.softplus(found[0, :4])
            boxes.append(torch.cat([centre - ends[:2], centre + ends[2:]]).flatten(1) * stride)
            scores.append(found[0, 4:].flatten(1))
        boxes, scores = torch.cat(boxes, dim=1).transpose(0, 1), torch.cat(scores, dim=1)
        best, label = scores.max(dim=0)
        return suppress(boxes, best), label


# --------------------------------------------------------------------------------------------------------- transformers


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def split(self, x):
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory
        y = F.scaled_dot_product_attention(
            self.split(self.query(x)), self.split(self.key(memory)), self.split(self.value(memory)), attn_mask=mask)
        return self.out(y.transpose(1, 2).contiguous().flatten(2))


class Layer(nn.Module):
    def __init__(self, width, heads, crossed=False):
        super().__init__()
        self.attention = Attention(width, heads)
        self.crossed = Attention(width, heads) if crossed else None
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if crossed else 2))
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, memory=None, mask=None):
        x = x + self.attention(self.norms[0](x), mask=mask)
        if self.crossed is not None:
            x = x + self.crossed(self.norms[2](x), memory)
        return x + self.outer(F.gelu(self.inner(self.norms[1](x))))


class Vit(nn.Module):
    def __init__(self, width=192, layers=4, heads=3, patch=16, picture=224, classes=1000):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, (picture // patch)**2 + 1, width) * 0.02)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.places
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x)[:, 0])


class WindowAttention(Attention):
    """Written out, as Swin's own code has it."""

    def forward(self, x, mask):
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]) + mask
        return self.out((scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(x.shape))


class SwinBlock(nn.Module):
    def __init__(self, width, heads, window, shift, side):
        super().__init__()
        self.window, self.shift, self.side, self.heads = window, shift, side, heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = WindowAttention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.bias = nn.Parameter(torch.randn(heads, window * window, window * window) * 0.1)
        mask = None
        if shift:
            part = torch.zeros(1, side, side, 1)
            slices = (slice(0, -window), slice(-window, -shift), slice(-shift, None))
            for i, rows in enumerate(slices):
                for j, columns in enumerate(slices):
                    part[:, rows, columns] = 3 * i + j
            part = self.windows(part).squeeze(-1)
            mask = torch.where(part[:, None, :, None] == part[:, None, None, :], 0.0, -100.0)
        self.register_buffer("mask", mask)

    def windows(self, x):
        batch, height, width, channels = x.shape
        w = self.window
        return x.reshape(batch, height // w, w, width // w, w, channels).transpose(2, 3).reshape(-1, w * w, channels)

    def forward(self, x):
        batch, w, channels = x.shape[0], self.window, x.shape[-1]
        y = self.norms[0](x)
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = self.windows(y)
        y = self.attention(y, self.bias[None] if self.mask is None else self.bias[None] + self.mask)
        y = y.reshape(batch, self.side // w, self.side // w, w, w, channels).transpose(2, 3)
        y = y.reshape(batch, self.side, self.side, channels)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y
        return x + self.mlp(self.norms[1](x))


class Swin(nn.Module):
    def __init__(self, width=48, picture=112, classes=100):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        side = picture // 4
        self.first = nn.Sequential(SwinBlock(width, 3, 7, 0, side), SwinBlock(width, 3, 7, 3, side))
        self.norm, self.merge = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)
        self.second = nn.Sequential(SwinBlock(2 * width, 6, 7, 0, side // 2), SwinBlock(2 * width, 6, 7, 3, side // 2))
        self.last, self.head = nn.LayerNorm(2 * width), nn.Linear(2 * width, classes)

    def forward(self, x):
        x = self.first(self.patches(x).permute(0, 2, 3, 1))
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], dim=-1)
        x = self.second(self.merge(self.norm(x)))
        return self.head(self.last(x).mean(dim=(1, 2)))


class Bert(nn.Module):
    def __init__(self, width=256, layers=4, heads=4, words=2000, places=128):
        super().__init__()
        self.words, self.places, self.kinds = nn.Embedding(words, width), nn.Embedding(places, width), nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.pool = nn.Linear(width, width)

    def forward(self, input_ids, attention_mask, token_type_ids):
        places = torch.arange(input_ids.shape[1])[None]
        x = self.norm(self.words(input_ids) + self.places(places) + self.kinds(token_type_ids))
        mask = (1.0 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        for layer in self.layers:
            x = layer(x, mask=mask)
        return x, torch.tanh(self.pool(x[:, 0]))


class CachedLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.joint, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, past_key, past_value):
        batch, length, width = x.shape
        query, key, value = (
            part.reshape(batch, length, self.heads, -1).transpose(1, 2) for part in self.joint(self.norms[0](x)).chunk(3, dim=-1))
        key, value = torch.cat([past_key, key], dim=2), torch.cat([past_value, value], dim=2)
        past = past_key.shape[2]
        seen = torch.arange(past + length)[None, :] <= torch.arange(length)[:, None] + past
        y = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        x = x + self.out(y.transpose(1, 2).contiguous().flatten(2))
        return x + self.outer(F.gelu(self.inner(self.norms[1](x)), approximate="tanh")), key, value


class Decoder(nn.Module):
    """GPT-2-like, with its cache as inputs and outputs."""

    def __init__(self, width=256, layers=3, heads=4, words=2000, places=256):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(places, width)
        self.layers = nn.ModuleList(CachedLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, input_ids, *past):
        start = past[0].shape[2]
        x = self.words(input_ids) + self.places(torch.arange(start, start + input_ids.shape[1]))[None]
        present = []
        for i, layer in enumerate(self.layers):
            x, key, value = layer(x, past[2 * i], past[2 * i + 1])
            present += [key, value]
        return (F.linear(self.norm(x), self.words.weight), *present)


class AudioEncoder(nn.Module):
    """Whisper-like: two convolutions over the spectrum's frames, then transformer layers."""

    def __init__(self, bands=80, width=192, layers=3, heads=3, frames=300):
        super().__init__()
        self.first, self.second = nn.Conv1d(bands, width, 3, 1, 1), nn.Conv1d(width, width, 3, 2, 1)
        self.register_buffer("places", torch.randn(frames // 2, width) * 0.1)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, mel):
        x = F.gelu(self.second(F.gelu(self.first(mel)))).permute(0, 2, 1)
        x = x + self.places
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class Detr(nn.Module):
    def __init__(self, width=128, heads=4, queries=50, classes=20):
        super().__init__()
        self.body = nn.Sequential(Fused(3, 32, 3, 2), Fused(32, 64, 3, 2), Fused(64, 128, 3, 2), Fused(128, 128, 3, 2))
        self.project = nn.Conv2d(128, width, 1)
        self.rows, self.columns = (nn.Parameter(torch.rand(32, width // 2)) for _ in range(2))
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.encoder = nn.ModuleList(Layer(width, heads) for _ in range(2))
        self.decoder = nn.ModuleList(Layer(width, heads, crossed=True) for _ in range(2))
        self.label, self.box = nn.Linear(width, classes + 1), nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4))

    def forward(self, picture):
        x = self.project(self.body(picture))
        height, width = x.shape[2:]
        places = torch.cat([
            self.columns[:width].unsqueeze(0).repeat(height, 1, 1), self.rows[:height].unsqueeze(1).repeat(1, width, 1)
        ], dim=-1).flatten(0, 1).unsqueeze(0)
        memory = x.flatten(2).permute(0, 2, 1) + 0.1 * places
        for layer in self.encoder:
            memory = layer(memory)
        found = self.queries[None].expand(x.shape[0], -1, -1)
        for layer in self.decoder:
            found = layer(found, memory)
        return self.label(found), self.box(found).sigmoid()


class MaskDecoder(nn.Module):
    """SAM-like: points become tokens, tokens and picture attend to each other, masks are products with upscaled features."""

    def __init__(self, width=128, heads=4, masks=4):
        super().__init__()
        self.width = width
        self.register_buffer("frequencies", torch.randn(2, width // 2))
        self.kinds, self.tokens = nn.Embedding(4, width), nn.Embedding(masks + 1, width)
        self.layers = nn.ModuleList(Layer(width, heads, crossed=True) for _ in range(2))
        self.back = nn.ModuleList(Attention(width, heads) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.upscale = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, 2, 2), nn.GroupNorm(1, width // 4), nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, 2, 2), nn.GELU())
        self.mlps = nn.ModuleList(nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width // 8)) for _ in range(masks))
        self.score = nn.Linear(width, masks)

    def forward(self, image_embeddings, point_coords, point_labels):
        angles = 2 * math.pi * ((2 * point_coords / 1024 - 1) @ self.frequencies)
        points = torch.cat([angles.sin(), angles.cos()], dim=-1)
        points = torch.where(point_labels[..., None] == -1, torch.zeros_like(points), points) + self.kinds(point_labels.clamp(min=0))
        tokens = torch.cat([self.tokens.weight[None].expand(points.shape[0], -1, -1), points], dim=1)
        batch, channels, height, width = image_embeddings.shape
        picture = image_embeddings.flatten(2).permute(0, 2, 1)
        for layer, back, norm in zip(self.layers, self.back, self.norms):
            tokens = layer(tokens, picture)
            picture = norm(picture + back(picture, tokens))
        features = self.upscale(picture.transpose(1, 2).reshape(batch, channels, height, width))
        weights = torch.stack([mlp(tokens[:, i + 1]) for i, mlp in enumerate(self.mlps)], dim=1)
        masks = (weights @ features.flatten(2)).reshape(batch, -1, 4 * height, 4 * width)
        masks = F.interpolate(masks, (256, 256), mode="bilinear", align_corners=False)
        return masks, self.score(tokens[:, 0])


class Tagger(nn.Module):
    def __init__(self, words=1000, width=96, hidden=128, tags=12):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.cells = nn.LSTM(width, hidden, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, tags)

    def forward(self, words):
        states, _ = self.cells(self.words(words))
        return F.log_softmax(self.head(states), dim=-1)


# -------------------------------------------------------------------------------------------------------------- the list


def picture(side, channels=3):
    return torch.randn(1, channels, side, side)


def decoder(past):
    module, batch = Decoder(), torch.export.Dim.DYNAMIC
    caches = [torch.randn(1, 4, past, 64) for _ in range(6)]
    length = 1 if past else 16
    names = [f"{kind}.{i}" for i in range(3) for kind in ("key", "value")]
    dynamic = ({1: batch}, tuple({2: batch} for _ in caches))
    # Exported with a past that is not empty: torch.export takes an extent of 0 or 1 for a constant.
    example = (torch.randint(0, 2000, (1, max(length, 2))), *[torch.randn(1, 4, max(past, 3), 64) for _ in caches])
    return (module, example, ["input_ids"] + ["past_" + name for name in names], ["logits"] + ["present_" + name for name in names],
            dynamic)


NETWORKS = {
    "resnet18": lambda: (ResNet(), (picture(224),), ["x"], ["logits"], None),
    "vit": lambda: (Vit(), (picture(224),), ["x"], ["logits"], None),
    "swin": lambda: (Swin(), (picture(112),), ["x"], ["logits"], None),
    "bert": lambda: (Bert(), (torch.randint(0, 2000, (1, 64)), torch.ones(1, 64, dtype=torch.int64),
                              torch.zeros(1, 64, dtype=torch.int64)), ["input_ids", "attention_mask", "token_type_ids"],
                     ["last_hidden_state", "pooler_output"],
                     tuple({0: "batch", 1: "sequence"} for _ in range(3))),
    "decoder": lambda: decoder(32),
    "audio-encoder": lambda: (AudioEncoder(), (torch.randn(1, 80, 300),), ["mel"], ["states"], None),
    "yolo": lambda: (Yolo(), (picture(192),), ["picture"], ["boxes", "labels"], None),
    "detr": lambda: (Detr(), (picture(192),), ["picture"], ["logits", "boxes"], None),
    "mask-decoder": lambda: (MaskDecoder(), (torch.randn(1, 128, 32, 32), torch.rand(1, 5, 2) * 1024,
                                             torch.tensor([[1, 0, 1, 2, -1]])),
                             ["image_embeddings", "point_coords", "point_labels"], ["masks", "scores"], None),
    "tagger": lambda: (Tagger(), (torch.randint(0, 1000, (1, 40)),), ["words"], ["tags"], None),
    "unet": lambda: (UNet(), (picture(32, 4), torch.tensor([7])), ["sample", "step"], ["noise"], None),
}
