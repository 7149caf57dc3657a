"""Every algorithm as its source prints it: one NumPy float64 loop each, with nothing factored out.

``gradient(t, x)`` is the gradient of the objective of step t = 1, 2, ... at x. Each function yields the
parameters after every step. The names of the constants are the sources'.
"""

import mpmath
import numpy as np


def sgd(gradient, x, steps, *, alpha):
    """Robbins & Monro (1951)."""
    for t in range(1, steps + 1):
        x = x - alpha * gradient(t, x)
        yield x


def momentum(gradient, x, steps, *, alpha, mu):
    """Polyak (1964), as in Sutskever et al. (2013), eqs. 1-2."""
    v = 0
    for t in range(1, steps + 1):
        v = mu * v - alpha * gradient(t, x)
        x = x + v
        yield x


def nesterov(gradient, x, steps, *, alpha, mu):
    """The form that libraries use, with the gradient where the parameters are."""
    b = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        b = mu * b + g
        x = x - alpha * (g + mu * b)
        yield x


def nesterov_ahead(gradient, theta, steps, *, alpha, mu):
    """Sutskever et al. (2013), eqs. 3-4; yields the point theta + mu v of the next gradient."""
    v = 0
    for t in range(1, steps + 1):
        v = mu * v - alpha * gradient(t, theta + mu * v)
        theta = theta + v
        yield theta + mu * v


def adagrad(gradient, x, steps, *, eta, delta):
    """Goodfellow et al. (2016), Algorithm 8.4."""
    r = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        r = r + g * g
        x = x - eta / (delta + np.sqrt(r)) * g
        yield x


def adagrad_inside(gradient, x, steps, *, eta, delta, start):
    """Duchi et al. (2011), Figure 1, with delta inside the root and a start above 0."""
    s = start
    for t in range(1, steps + 1):
        g = gradient(t, x)
        s = s + g**2
        x = x - eta * g / np.sqrt(s + delta)
        yield x


def adadelta(gradient, x, steps, *, rho, eps, rate):
    """Zeiler (2012), Algorithm 1; the paper's rate is 1."""
    e_g = e_dx = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        e_g = rho * e_g + (1 - rho) * g**2
        dx = -np.sqrt(e_dx + eps) / np.sqrt(e_g + eps) * g
        e_dx = rho * e_dx + (1 - rho) * dx**2
        x = x + rate * dx
        yield x


def rmsprop(gradient, theta, steps, *, eta, rho, delta):
    """Goodfellow et al. (2016), Algorithm 8.5: delta inside the root."""
    r = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        r = rho * r + (1 - rho) * g * g
        theta = theta - eta / np.sqrt(delta + r) * g
        yield theta


def rmsprop_outside(gradient, theta, steps, *, eta, rho, delta):
    """PyTorch's: delta outside the root."""
    r = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        r = rho * r + (1 - rho) * g * g
        theta = theta - eta * g / (np.sqrt(r) + delta)
        yield theta


def rmsprop_centred(gradient, w, steps, *, eta, rho, mu, delta):
    """Graves (2013), eqs. 38-42: about the mean, with momentum."""
    n = g = step = 0
    for t in range(1, steps + 1):
        e = gradient(t, w)
        n = rho * n + (1 - rho) * e**2
        g = rho * g + (1 - rho) * e
        step = mu * step - eta * e / np.sqrt(n - g**2 + delta)
        w = w + step
        yield w


def rmsprop_nesterov(gradient, theta, steps, *, eta, rho, alpha, delta):
    """Goodfellow et al. (2016), Algorithm 8.6, with a delta that it does not print."""
    r = v = 0
    for t in range(1, steps + 1):
        ahead = theta + alpha * v
        g = gradient(t, ahead)
        r = rho * r + (1 - rho) * g * g
        v = alpha * v - eta / np.sqrt(delta + r) * g
        theta = theta + v
        yield theta


def adam(gradient, x, steps, *, alpha, b1, b2, eps):
    """Kingma & Ba (2015), Algorithm 1."""
    m = v = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        x = x - alpha * m_hat / (np.sqrt(v_hat) + eps)
        yield x


def adam_uncorrected(gradient, x, steps, *, alpha, b1, b2, eps):
    """Reddi et al. (2018), section 2: Adam without its hats."""
    m = v = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        x = x - alpha * m / (np.sqrt(v) + eps)
        yield x


def adamw(gradient, theta, steps, *, alpha, b1, b2, eps, decay):
    """Loshchilov & Hutter (2019), Algorithm 2, its lambda in units of alpha as in libraries."""
    m = v = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        theta = theta - alpha * (m_hat / (np.sqrt(v_hat) + eps) + decay * theta)
        yield theta


def nadam(gradient, theta, steps, *, alpha, mu, nu, eps, shrink=1.0):
    """Dozat (2016), Algorithm 2, mu_t = mu shrink^(t-1), without the nu before n_t."""
    m = n = 0
    product = 1.0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        mu_t, mu_next = mu * shrink ** (t - 1), mu * shrink**t
        product = product * mu_t
        m = mu_t * m + (1 - mu_t) * g
        n = nu * n + (1 - nu) * g**2
        m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu_t) * g / (1 - product)
        n_hat = n / (1 - nu**t)
        theta = theta - alpha / (np.sqrt(n_hat) + eps) * m_hat
        yield theta


def adam_2k(gradient, x, steps, *, alpha, b1, b2, eps, frozen):
    """Liu et al. (2020), section 3.1: iterations 1 - frozen, ..., 0 update the adaptive rate alone."""
    m = v = 0
    for t in range(1 - frozen, steps - frozen + 1):
        g = gradient(t + frozen, x)
        v = b2 * v + (1 - b2) * g**2
        if t >= 1:
            m = b1 * m + (1 - b1) * g
            psi = 1 / (np.sqrt(v / (1 - b2 ** (t + frozen))) + eps)
            x = x - alpha * m / (1 - b1**t) * psi
        yield x


def adam_eps(gradient, x, steps, *, alpha, b1, b2, eps):
    """Liu et al. (2020), section 3.1: psi-hat, with the sums written out."""
    g = []
    for t in range(1, steps + 1):
        g.append(gradient(t, x))
        past = np.arange(t)[::-1].reshape(-1, *[1] * np.ndim(x))
        phi = (1 - b1) * np.sum(b1**past * g, axis=0) / (1 - b1**t)
        psi = np.sqrt(1 - b2**t) / (eps + np.sqrt((1 - b2) * np.sum(b2**past * np.square(g), axis=0)))
        x = x - alpha * phi * psi
        yield x


def amsgrad(gradient, x, steps, *, alpha, b1, b2, eps=0.0, forget=1.0):
    """Reddi et al. (2018), Algorithm 2; eps is added, and a maximum that forgets."""
    m = v = v_hat = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        v_hat = np.maximum(forget * v_hat, v)
        x = x - alpha * m / (np.sqrt(v_hat) + eps)
        yield x


def amsgrad_of_pytorch(gradient, x, steps, *, alpha, b1, b2, eps, forget=1.0):
    """torch.optim.Adam(amsgrad=True): the maximum of v, then the correction."""
    m = v = v_max = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        v_max = np.maximum(forget * v_max, v)
        denominator = np.sqrt(v_max) / np.sqrt(1 - b2**t) + eps
        x = x - alpha / (1 - b1**t) * m / denominator
        yield x


def amsgrad_of_optax(gradient, x, steps, *, alpha, b1, b2, eps, forget=1.0):
    """optax.amsgrad: the correction, then the maximum."""
    m = v = v_max = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        v_max = np.maximum(forget * v_max, v / (1 - b2**t))
        x = x - alpha * (m / (1 - b1**t)) / (np.sqrt(v_max) + eps)
        yield x


def amsgrad_projected(gradient, x, steps, *, alpha, b1, b2, shrink, bound):
    """Reddi et al. (2018), Algorithm 2 with Corollary 1: alpha/sqrt(t), b1 lambda^(t-1), a box; no eps."""
    m = v = v_hat = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        alpha_t, b1_t = alpha / np.sqrt(t), b1 * shrink ** (t - 1)
        m = b1_t * m + (1 - b1_t) * g
        v = b2 * v + (1 - b2) * g**2
        v_hat = np.maximum(v_hat, v)
        x = np.minimum(np.maximum(x - alpha_t * m / np.sqrt(v_hat), -bound), bound)
        yield x


def adam_projected(gradient, x, steps, *, alpha, b1, b2, bound):
    """Reddi et al. (2018), Algorithm 1 with Adam's averages."""
    m = v = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        x = np.minimum(np.maximum(x - alpha / np.sqrt(t) * m / np.sqrt(v), -bound), bound)
        yield x


def adamnc(gradient, x, steps, *, alpha, b1, eps):
    """Reddi et al. (2018), Algorithm 3 with b2_t = 1 - 1/t and alpha/sqrt(t)."""
    m = v = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        b2_t = 1 - 1 / t
        m = b1 * m + (1 - b1) * g
        v = b2_t * v + (1 - b2_t) * g**2
        x = x - alpha / np.sqrt(t) * m / (np.sqrt(v) + eps)
        yield x


def adam_scheduled(gradient, x, steps, *, alpha, b1, shrink, power, eps):
    """Adam with b1_t = b1 shrink^(t-1) and b2_t = 1 - t^-power, divided by the sums of their weights."""
    m = v = m_of_ones = v_of_ones = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        b1_t, b2_t = b1 * shrink ** (t - 1), 1 - t**-power
        m, m_of_ones = b1_t * m + (1 - b1_t) * g, b1_t * m_of_ones + (1 - b1_t)
        v, v_of_ones = b2_t * v + (1 - b2_t) * g**2, b2_t * v_of_ones + (1 - b2_t)
        x = x - alpha * (m / m_of_ones) / (np.sqrt(v / v_of_ones) + eps)
        yield x


def length_and_rectifier(b2, t):
    """Liu et al. (2020), Algorithm 2: rho_t and r_t (0 up to rho_t = 4), rounded at the end."""
    with mpmath.workdps(50):
        b2 = mpmath.mpf(b2)
        rho_inf = 2 / (1 - b2) - 1
        rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
        if rho <= 4:
            return float(rho), 0.0
        ratio = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
        return float(rho), float(mpmath.sqrt(ratio))


def radam(gradient, theta, steps, *, alpha, b1, b2, eps, threshold, decay=0.0):
    """Liu et al. (2020), Algorithm 2, whose threshold is 4; eps and decoupled decay are added."""
    m = v = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        v = b2 * v + (1 - b2) * g**2
        m = b1 * m + (1 - b1) * g
        m_hat = m / (1 - b1**t)
        rho, r = length_and_rectifier(b2, t)
        theta = theta - alpha * decay * theta
        if rho > threshold:
            theta = theta - alpha * r * m_hat / (np.sqrt(v / (1 - b2**t)) + eps)
        else:
            theta = theta - alpha * m_hat
        yield theta


def radam_skipping(gradient, theta, steps, *, alpha, b1, b2, eps):
    """RAdam that stands still until it is rectified, its moments learning meanwhile."""
    m = v = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        rho, r = length_and_rectifier(b2, t)
        if rho > 5:
            theta = theta - alpha * r * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        yield theta


def radam_of_the_authors(gradient, p, steps, *, lr, b1, b2, eps, degenerated_to_sgd, weight_decay=0.0):
    """github.com/LiyuanLucasLiu/RAdam, radam.py: eps beside the uncorrected root; it may skip."""
    exp_avg = exp_avg_sq = 0
    for step in range(1, steps + 1):
        grad = gradient(step, p)
        exp_avg_sq = exp_avg_sq * b2 + (1 - b2) * grad * grad
        exp_avg = exp_avg * b1 + (1 - b1) * grad
        n_sma, r = length_and_rectifier(b2, step)
        if n_sma >= 5:
            p = p - weight_decay * lr * p
            step_size = np.sqrt(1 - b2**step) * r / (1 - b1**step)
            p = p - step_size * lr * exp_avg / (np.sqrt(exp_avg_sq) + eps)
        elif degenerated_to_sgd:
            p = p - weight_decay * lr * p
            p = p - lr / (1 - b1**step) * exp_avg
        yield p


def radam_of_tensorflow_addons(
    gradient, var, steps, *, learning_rate, beta_1, beta_2, epsilon, weight_decay, amsgrad, sma_threshold,
    total_steps, warmup_proportion, min_lr,
):  # fmt: skip
    """tensorflow_addons/optimizers/rectified_adam.py: eps beside the corrected root; warmup and decay."""
    m = v = vhat = 0
    for step in range(1, steps + 1):
        grad = gradient(step, var)
        lr = learning_rate
        if total_steps:
            warmup_steps = total_steps * warmup_proportion
            decay_steps = max(total_steps - warmup_steps, 1)
            if step <= warmup_steps:
                lr = learning_rate * step / warmup_steps
            else:
                lr = lr + (min_lr - lr) / decay_steps * min(step - warmup_steps, decay_steps)
        m = beta_1 * m + (1 - beta_1) * grad
        v = beta_2 * v + (1 - beta_2) * grad**2
        vhat = np.maximum(vhat, v)
        m_corr = m / (1 - beta_1**step)
        v_corr = np.sqrt((vhat if amsgrad else v) / (1 - beta_2**step))
        sma, r = length_and_rectifier(beta_2, step)
        direction = r * m_corr / (v_corr + epsilon) if sma >= sma_threshold else m_corr
        var = var - lr * (direction + weight_decay * var)
        yield var


def radam_with_amsgrad(gradient, theta, steps, *, alpha, b1, b2, eps):
    """RAdam over the maximum of the corrected second moment."""
    m = v = v_max = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        v_max = np.maximum(v_max, v / (1 - b2**t))
        m_hat = m / (1 - b1**t)
        rho, r = length_and_rectifier(b2, t)
        theta = theta - alpha * (r * m_hat / (np.sqrt(v_max) + eps) if rho > 5 else m_hat)
        yield theta


def rmsprop_rectified(gradient, theta, steps, *, eta, rho, delta):
    """RMSProp that waits for its second moment, then steps r_t times as far."""
    r = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        r = rho * r + (1 - rho) * g * g
        length, rectifier = length_and_rectifier(rho, t)
        if length > 5:
            theta = theta - eta * rectifier * g / np.sqrt(delta + r)
        yield theta


def adabelief(gradient, theta, steps, *, alpha, b1, b2, eps, eps_in_sum, rectified=False):
    """Zhuang et al. (2020), Algorithm 2; rectified as RAdam is, if asked to."""
    m = s = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps_in_sum
        m_hat = m / (1 - b1**t)
        s_hat = s / (1 - b2**t)
        rho, r = length_and_rectifier(b2, t) if rectified else (np.inf, 1)
        theta = theta - alpha * (r * m_hat / (np.sqrt(s_hat) + eps) if rho > 5 else m_hat)
        yield theta


def yogi(gradient, x, steps, *, eta, b1, b2, eps, start):
    """Zaheer et al. (2018), Algorithm 2: no corrections."""
    m, v = 0, start
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = v - (1 - b2) * np.sign(v - g**2) * g**2
        x = x - eta * m / (np.sqrt(v) + eps)
        yield x


def yogi_rectified(gradient, x, steps, *, eta, b1, b2, eps, start):
    """Yogi with the corrections of optax, rectified as RAdam is."""
    m, v = 0, start
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = v - (1 - b2) * np.sign(v - g**2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        rho, r = length_and_rectifier(b2, t)
        x = x - eta * (r * m_hat / (np.sqrt(v_hat) + eps) if rho > 5 else m_hat)
        yield x


def adamax(gradient, theta, steps, *, alpha, b1, b2, eps):
    """Kingma & Ba (2015), Algorithm 2, with the eps of PyTorch and optax."""
    m = u = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        m = b1 * m + (1 - b1) * g
        u = np.maximum(b2 * u, np.abs(g) + eps)
        theta = theta - alpha / (1 - b1**t) * m / u
        yield theta


def nosadam(gradient, x, steps, *, alpha, b1, gamma, eps):
    """Huang et al. (2019), Algorithm 1: gradient k has the weight k^-gamma for ever; b1 is corrected for."""
    m = v = total = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        before, total = total, total + t**-gamma
        m = b1 * m + (1 - b1) * g
        v = before / total * v + (1 - before / total) * g**2
        x = x - alpha * m / (1 - b1**t) / (np.sqrt(v) + eps)
        yield x


def adax(gradient, x, steps, *, alpha, b1, growth, eps):
    """Li et al. (2020), Algorithm 1: a memory that grows; b1 is corrected for."""
    m = v = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = (1 + growth) * v + growth * g**2
        v_hat = v / ((1 + growth) ** t - 1)
        x = x - alpha * m / (1 - b1**t) / (np.sqrt(v_hat) + eps)
        yield x


def laprop(gradient, theta, steps, *, alpha, mu, nu, eps):
    """Ziyin et al. (2020), Algorithm 1."""
    m = n = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        n = nu * n + (1 - nu) * g**2
        m = mu * m + (1 - mu) * g / (np.sqrt(n / (1 - nu**t)) + eps)
        theta = theta - alpha * m / (1 - mu**t)
        yield theta


def adopt(gradient, theta, steps, *, alpha, b1, b2, eps, power):
    """Taniguchi et al. (2024), Algorithm 2, whose gradients begin at 0: bound t^power."""
    m, v = 0, gradient(1, theta) ** 2
    yield theta
    for t in range(1, steps):
        g = gradient(t + 1, theta)
        c = t**power
        m = b1 * m + (1 - b1) * np.clip(g / np.maximum(np.sqrt(v), eps), -c, c)
        theta = theta - alpha * m
        v = b2 * v + (1 - b2) * g**2
        yield theta


def acprop(gradient, x, steps, *, alpha, b1, b2, eps, eps_in_sum):
    """Zhuang et al. (2021), Algorithm 2, about the momentum before this gradient; optax starts at s = 1."""
    m = s = 0
    s_hat = 1
    for t in range(1, steps + 1):
        g = gradient(t, x)
        x = x - alpha * g / (np.sqrt(s_hat) + eps)
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps_in_sum
        m = b1 * m + (1 - b1) * g
        s_hat = s / (1 - b2**t)
        yield x


def ademamix(gradient, theta, steps, *, eta, b1, b2, b3, alpha, eps, warmup, decay):
    """Pagliardini et al. (2024), Algorithm 1 with the schedules of its section 3."""
    m1 = m2 = nu = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        share = min(1, t / warmup)
        alpha_t = alpha * share
        b3_t = np.exp(np.log(b1) * np.log(b3) / ((1 - share) * np.log(b3) + share * np.log(b1)))
        m1 = b1 * m1 + (1 - b1) * g
        m2 = b3_t * m2 + (1 - b3_t) * g
        nu = b2 * nu + (1 - b2) * g**2
        denominator = np.sqrt(nu / (1 - b2**t)) + eps
        theta = theta - eta * ((m1 / (1 - b1**t) + alpha_t * m2) / denominator + decay * theta)
        yield theta


def adan(gradient, theta, steps, *, eta, beta1, beta2, beta3, eps):
    """Xie et al. (2022), Algorithm 1, with the corrections of the authors' code."""
    m = v = n = 0
    before = None
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        change = 0 if before is None else g - before
        m = (1 - beta1) * m + beta1 * g
        v = (1 - beta2) * v + beta2 * change
        n = (1 - beta3) * n + beta3 * (g + (1 - beta2) * change) ** 2
        m_hat, v_hat, n_hat = (x / (1 - (1 - b) ** t) for x, b in ((m, beta1), (v, beta2), (n, beta3)))
        theta = theta - eta * (m_hat + (1 - beta2) * v_hat) / (np.sqrt(n_hat) + eps)
        before = g
        yield theta


def lion(gradient, theta, steps, *, eta, b1, b2, decay):
    """Chen et al. (2023), Algorithm 2."""
    m = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        c = b1 * m + (1 - b1) * g
        theta = theta - eta * (np.sign(c) + decay * theta)
        m = b2 * m + (1 - b2) * g
        yield theta


def adam_atan2(gradient, x, steps, *, alpha, b1, b2, a, b):
    """Everett et al. (2024), section 5."""
    m = v = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        x = x - alpha * a * np.arctan2(m / (1 - b1**t), b * np.sqrt(v / (1 - b2**t)))
        yield x


def padam(gradient, x, steps, *, alpha, b1, b2, eps, p, maximum):
    """Chen et al. (2020), Algorithm 1, with libraries' eps and corrections; some have no maximum."""
    m = v = v_hat = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        v_hat = np.maximum(v_hat, v) if maximum else v
        rate = np.sqrt(1 - b2**t) / (np.sqrt(v_hat) + eps) ** (2 * p)
        x = x - alpha * m / (1 - b1**t) * rate
        yield x


def adabound(gradient, x, steps, *, alpha, b1, b2, eps, final, gamma, maximum):
    """Luo et al. (2019), Algorithms 2 and 3, with the corrections of the authors' code."""
    m = v = v_hat = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        lower, upper = final * (1 - 1 / (gamma * t + 1)), final * (1 + 1 / (gamma * t))
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        v_hat = np.maximum(v_hat, v) if maximum else v
        eta = alpha * np.sqrt(1 - b2**t) / (1 - b1**t) / (np.sqrt(v_hat) + eps)
        x = x - np.clip(eta, lower, upper) * m
        yield x


def adamod(gradient, x, steps, *, alpha, b1, b2, b3, eps):
    """Ding et al. (2019), Algorithm 1, with eps outside the uncorrected root, as in its code."""
    m = v = s = 0
    for t in range(1, steps + 1):
        g = gradient(t, x)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        eta = alpha * np.sqrt(1 - b2**t) / (1 - b1**t) / (np.sqrt(v) + eps)
        s = b3 * s + (1 - b3) * eta
        x = x - np.minimum(eta, s) * m
        yield x


def qhadam(gradient, theta, steps, *, alpha, b1, b2, nu1, nu2, eps):
    """Ma & Yarats (2019), Algorithm 4."""
    g_avg = s_avg = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        g_avg = b1 * g_avg + (1 - b1) * g
        s_avg = b2 * s_avg + (1 - b2) * g**2
        numerator = (1 - nu1) * g + nu1 * g_avg / (1 - b1**t)
        denominator = np.sqrt((1 - nu2) * g**2 + nu2 * s_avg / (1 - b2**t)) + eps
        theta = theta - alpha * numerator / denominator
        yield theta


def stable_adamw(gradient, theta, steps, *, alpha, b1, b2, eps, decay):
    """Wortsman et al. (2023), Algorithm 2, with the corrections of libraries."""
    v = u = 0
    for t in range(1, steps + 1):
        g = gradient(t, theta)
        v = b1 * v + (1 - b1) * g
        u = b2 * u + (1 - b2) * g**2
        v_hat, u_hat = v / (1 - b1**t), u / (1 - b2**t)
        rms = np.sqrt(np.mean(g**2 / np.maximum(u_hat, eps**2)))
        eta = alpha / max(1, rms)
        theta = theta - eta * (v_hat / (np.sqrt(u_hat) + eps) + decay * theta)
        yield theta


def cautious_adam(gradient, w, steps, *, alpha, b1, b2, eps, floor):
    """Liang et al. (2024), Algorithm 2, scaled as in timm."""
    m = v = 0
    for t in range(1, steps + 1):
        g = gradient(t, w)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        u = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
        phi = (u * g > 0).astype("float64")
        w = w - alpha * u * phi / max(np.mean(phi), floor)
        yield w


def schedule_free_radam(gradient, y, steps, *, lr, b1, b2, eps, decay, r, silent, power=2):
    """The schedulefree package's RAdamScheduleFree; yields y, where the gradient is taken."""
    z = y
    v = total = highest = 0
    for t in range(1, steps + 1):
        g = gradient(t, y)
        rho, rectifier = length_and_rectifier(b2, t)
        lr_t = lr * (rectifier if rho > 4 else 0 if silent else 1)
        highest = max(highest, lr_t)
        w = t**r * highest**power
        total += w
        c = w / total if total else 0
        v = b2 * v + (1 - b2) * g**2
        d = (g / (np.sqrt(v / (1 - b2**t)) + eps) if rho > 4 else g) + decay * y
        y = (1 - c) * y + c * z + lr_t * (b1 * (1 - c) - 1) * d
        z = z - lr_t * d
        yield y
