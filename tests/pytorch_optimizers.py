"""Parameters after steps of PyTorch's optimizers: the numbers that `src/train/optimizer/tests.rs` holds the update rules to.

usage: pytorch_optimizers.py     needs `pip install torch`

L = ½ Σ a_i θ_i² + ¼ (Σ θ_i²)² in double precision; the learning rate is halved after 50 steps.
"""
import torch

CURVATURES = torch.tensor([1.0, 10.0, 30.0], dtype=torch.float64)
START = [0.75, -0.5, 0.25]
RULES = {
    "adam, learning_rate = 0.01": lambda theta: torch.optim.Adam(theta, lr=0.01),
    "adadelta": lambda theta: torch.optim.Adadelta(theta),
    "adadelta, learning_rate = 0.5, rho = 0.95, epsilon = 1e-4": lambda theta: torch.optim.Adadelta(
        theta, lr=0.5, rho=0.95, eps=1e-4
    ),
    "sgd, learning_rate = 0.005": lambda theta: torch.optim.SGD(theta, lr=0.005),
    "sgd, learning_rate = 0.005, momentum = 0.9": lambda theta: torch.optim.SGD(theta, lr=0.005, momentum=0.9),
    "sgd, learning_rate = 0.005, momentum = 0.9, nesterov = true": lambda theta: torch.optim.SGD(
        theta, lr=0.005, momentum=0.9, nesterov=True
    ),
}


def loss(theta):
    return 0.5 * (CURVATURES * theta**2).sum() + 0.25 * (theta**2).sum() ** 2


print("PyTorch", torch.__version__)
for name, rule in RULES.items():
    print(name)
    theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = rule([theta])
    for step in range(1, 101):
        optimizer.zero_grad()
        loss(theta).backward()
        optimizer.step()
        if step == 50:
            optimizer.param_groups[0]["lr"] *= 0.5
        if step in (1, 10, 100):
            print(f"    ({step}, {theta.tolist()}),")
