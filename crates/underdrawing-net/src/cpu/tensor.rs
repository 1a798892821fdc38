//! The operations on the processor. Each computes at once; in training it also records how to go
//! back.

use std::rc::Rc;
use std::sync::Arc;

use rayon::prelude::*;
use underdrawing_conv::{Activation, Conv, ConvTranspose};

use super::batch_norm::{self, Batch, Channel};
use super::buffer::{Buffer, Pool};
use super::convolution::Convolution;
use super::coupling::{self, couple_backward, couple_value, uncouple_backward, uncouple_value};
use super::elementwise::{self, CHUNK};
use super::haar::{self, hadamard};
use super::session::{Gradients, Moments, Session};
use crate::layers::{BatchNorm, ConvLayer, ConvTransposeLayer, ResidualNet};
use crate::param::ParamId;
use crate::tape::Wanted;
use crate::tensor::{Differentiable, Shape, Tensor, residual_by_layers};

/// A tensor on the processor.
#[derive(Clone, Debug)]
pub struct CpuTensor {
    pub(super) session: Rc<Session>,
    pub(super) node: Wanted,
    shape: Shape,
    values: Arc<Buffer>,
}

impl CpuTensor {
    /// A tensor that no parameter has a part in.
    pub(super) fn new(session: &Rc<Session>, shape: Shape, values: Buffer) -> Self {
        assert_eq!(
            values.len(),
            shape.iter().product::<usize>(),
            "values of a tensor {shape:?}"
        );
        Self {
            session: session.clone(),
            node: None,
            shape,
            values: Arc::new(values),
        }
    }

    /// An input of a pass that is refined, by its number.
    pub(super) fn input(
        session: &Rc<Session>,
        number: usize,
        shape: Shape,
        values: Buffer,
    ) -> Self {
        Self {
            node: Some(number),
            ..Self::new(session, shape, values)
        }
    }

    /// A parameter as a tensor.
    #[cfg(test)]
    pub(super) fn parameter(session: &Rc<Session>, id: ParamId, shape: Shape) -> Self {
        Self {
            session: session.clone(),
            node: session.node(id),
            shape,
            values: session.weight(id).clone(),
        }
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Memory for a tensor beside this one; what is in it is left from earlier uses.
    fn room(&self, shape: Shape) -> Buffer {
        self.session.pool.take(shape.iter().product())
    }

    /// The values to write to: these where nobody else has them, else a copy.
    fn into_owned(self) -> Buffer {
        Arc::try_unwrap(self.values)
            .unwrap_or_else(|shared| Buffer::copy_of(&shared, &self.session.pool))
    }

    /// A result of `inputs`; `backward` makes how to go back.
    fn result<F>(
        session: &Rc<Session>,
        inputs: &[Wanted],
        shape: Shape,
        values: impl Into<Arc<Buffer>>,
        backward: impl FnOnce() -> F,
    ) -> Self
    where
        F: FnOnce(Buffer, &mut Gradients) + 'static,
    {
        Self {
            node: session.record(inputs, backward),
            session: session.clone(),
            shape,
            values: values.into(),
        }
    }

    /// `f` of each value; `backward` brings a gradient back in place.
    fn mapped(
        self,
        f: impl Fn(f32) -> f32 + Sync,
        backward: impl FnOnce(&mut Buffer) + 'static,
    ) -> Self {
        let (session, node, shape) = (self.session.clone(), self.node, self.shape);
        let mut y = self.into_owned();
        elementwise::map(&mut y, f);
        Self::result(&session, &[node], shape, y, || {
            move |mut dy: Buffer, gradients: &mut Gradients| {
                backward(&mut dy);
                gradients.add(node, || dy);
            }
        })
    }

    fn convolved(
        &self,
        conv: Convolution,
        weight: ParamId,
        bias: Option<ParamId>,
        activation: Activation,
    ) -> Self {
        let session = &self.session;
        let nodes = [
            self.node,
            session.node(weight),
            bias.and_then(|bias| session.node(bias)),
        ];
        let weight = session.weight(weight).clone();
        let bias = bias.map(|bias| &***session.weight(bias));
        let mut y = self.room(conv.shape());
        conv.forward(&self.values, &weight, bias, activation, &mut y);
        let y = Arc::new(y);
        Self::result(session, &nodes, conv.shape(), y.clone(), || {
            let (x, pool) = (self.values.clone(), session.pool.clone());
            let y = (activation != Activation::None).then_some(y);
            move |mut dy: Buffer, gradients: &mut Gradients| {
                if let Some(y) = y {
                    activation.backward_in_place(&y, &mut dy);
                }
                let computed = |len: usize, compute: &dyn Fn(&mut [f32])| {
                    let mut values = pool.take(len);
                    compute(&mut values);
                    values
                };
                gradients.add(nodes[1], || {
                    computed(weight.len(), &|dw| conv.backward_weight(&x, &dy, dw))
                });
                gradients.add(nodes[2], || {
                    computed(conv.shape()[1], &|db| conv.backward_bias(&dy, db))
                });
                gradients.add(nodes[0], || {
                    computed(x.len(), &|dx| conv.backward_input(&weight, &dy, dx))
                });
            }
        })
    }

    /// What a channel is normalised by.
    fn channels(&self, norm: &BatchNorm, moments: &[[f64; 2]]) -> Vec<Channel> {
        let (weight, bias) = (self.weight(norm.weight), self.weight(norm.bias));
        let learned = weight.iter().zip(bias.iter());
        let channels = moments.iter().zip(learned);
        channels
            .map(|(moments, (w, b))| Channel::new(*moments, [*w, *b], BatchNorm::EPSILON))
            .collect()
    }

    fn weight(&self, id: ParamId) -> &Arc<Buffer> {
        self.session.weight(id)
    }

    /// Blocks of 2x2 values to four bands.
    fn split(
        &self,
        f: impl Fn([f32; 4]) -> [f32; 4] + Sync,
        back: impl Fn([f32; 4]) -> [f32; 4] + Sync + 'static,
    ) -> Self {
        let [n, c, h, w] = self.shape;
        let shape = [n, 4 * c, h / 2, w / 2];
        let mut y = self.room(shape);
        haar::split(&self.values, self.shape, &mut y, f);
        let (node, pool, input) = (self.node, self.session.pool.clone(), self.shape);
        Self::result(&self.session, &[node], shape, y, || {
            move |dy: Buffer, gradients: &mut Gradients| {
                gradients.add(node, || {
                    let mut dx = pool.take(input.iter().product());
                    haar::join(&dy, shape, &mut dx, back);
                    dx
                });
            }
        })
    }

    /// Four bands to blocks of 2x2 values.
    fn join(
        &self,
        f: impl Fn([f32; 4]) -> [f32; 4] + Sync,
        back: impl Fn([f32; 4]) -> [f32; 4] + Sync + 'static,
    ) -> Self {
        let [n, c4, h, w] = self.shape;
        let shape = [n, c4 / 4, 2 * h, 2 * w];
        let mut y = self.room(shape);
        haar::join(&self.values, self.shape, &mut y, f);
        let (node, pool) = (self.node, self.session.pool.clone());
        Self::result(&self.session, &[node], shape, y, || {
            move |dy: Buffer, gradients: &mut Gradients| {
                gradients.add(node, || {
                    let mut dx = pool.take(dy.len());
                    haar::split(&dy, shape, &mut dx, back);
                    dx
                });
            }
        })
    }

    /// The sum of `self` and `sign` times `other`.
    fn sum(self, other: &Self, sign: f32) -> Self {
        assert_eq!(self.shape, other.shape, "shapes of the terms of a sum");
        let (session, shape) = (self.session.clone(), self.shape);
        let nodes = [self.node, other.node];
        let mut y = self.into_owned();
        elementwise::zip(&mut y, &other.values, |a, b| a + sign * b);
        let pool = session.pool.clone();
        Self::result(&session, &nodes, shape, y, || {
            move |dy: Buffer, gradients: &mut Gradients| {
                gradients.add(nodes[1], || {
                    let mut db = Buffer::copy_of(&dy, &pool);
                    if sign < 0.0 {
                        elementwise::map(&mut db, |v| -v);
                    }
                    db
                });
                gradients.add(nodes[0], || dy);
            }
        })
    }

    /// One of the two directions of a coupling. `keeps` says whether the backward pass starts from
    /// what went in or from what came out.
    fn coupled(
        self,
        update: &Self,
        forward: impl Fn(f32, f32, f32) -> f32 + Sync,
        keeps: Keeps,
        backward: impl Fn(f32, f32, f32) -> [f32; 3] + Sync + 'static,
    ) -> Self {
        let (session, shape) = (self.session.clone(), self.shape);
        let nodes = [self.node, update.node];
        let recorded = session.records() && nodes.iter().any(Option::is_some);
        let x = (recorded && keeps == Keeps::Input).then(|| self.values.clone());
        let mut y = self.into_owned();
        coupling::each(&mut y, &update.values, shape, forward);
        let y = Arc::new(y);
        Self::result(&session, &nodes, shape, y.clone(), || {
            let (kept, update, pool) =
                (x.unwrap_or(y), update.values.clone(), session.pool.clone());
            move |mut dy: Buffer, gradients: &mut Gradients| {
                let mut d_update = pool.take(update.len());
                coupling::backward(&kept, &update, shape, &mut dy, &mut d_update, backward);
                gradients.add(nodes[0], || dy);
                gradients.add(nodes[1], || d_update);
            }
        })
    }
}

/// What a backward pass starts from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Input,
    Output,
}

/// Channels `first..first + count` of `from` `[n, c, h, w]`.
fn channels_of(
    from: &[f32],
    [n, c, h, w]: Shape,
    first: usize,
    count: usize,
    pool: &Arc<Pool>,
) -> Buffer {
    let plane = h * w;
    let mut part = pool.take(n * count * plane);
    part.par_chunks_exact_mut(plane.max(1))
        .enumerate()
        .for_each(|(i, part)| {
            let channel = i / count * c + first + i % count;
            part.copy_from_slice(&from[channel * plane..][..plane]);
        });
    part
}

impl Tensor for CpuTensor {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn conv(&self, layer: &ConvLayer, activation: Activation) -> Self {
        let [n, c_in, height, width] = self.shape;
        let conv = Convolution::Plain(Conv {
            n,
            c_in,
            c_out: layer.c_out,
            height,
            width,
            kernel: layer.kernel,
        });
        self.convolved(conv, layer.weight, layer.bias, activation)
    }

    fn conv_transpose(&self, layer: &ConvTransposeLayer, activation: Activation) -> Self {
        let [n, c_in, height, width] = self.shape;
        let conv = Convolution::Transposed(ConvTranspose {
            n,
            c_in,
            c_out: layer.c_out,
            height,
            width,
        });
        self.convolved(conv, layer.weight, layer.bias, activation)
    }

    fn batch_norm(&self, norm: &BatchNorm, activation: Activation) -> Self {
        let [n, _, h, w] = self.shape;
        let least = match activation {
            Activation::Relu => 0.0,
            _ => f32::NEG_INFINITY,
        };
        let session = &self.session;
        let ranks = session.ranks.clone();
        let Batch { samples, moments } = if session.trains() {
            let batch = Batch::of(&self.values, self.shape, &*ranks);
            let moments = &batch.moments;
            let unbiased = batch.samples / (batch.samples - 1.0).max(1.0);
            session.keep(Moments {
                norm: *norm,
                mean: moments.iter().map(|m| m[0] as f32).collect(),
                variance: moments.iter().map(|m| (m[1] * unbiased) as f32).collect(),
            });
            batch
        } else {
            let running = [norm.running_mean, norm.running_var].map(|id| self.weight(id));
            let pairs = running[0].iter().zip(running[1].iter());
            Batch {
                samples: (n * h * w) as f64,
                moments: pairs.map(|(m, v)| [f64::from(*m), f64::from(*v)]).collect(),
            }
        };
        let channels = self.channels(norm, &moments);
        if session.records() && !session.trains() {
            // Statistics that are given make it a scale and a shift.
            let factors = channels.iter().map(Channel::scale_and_shift);
            let (scale, shift): (Vec<f32>, Vec<f32>) = factors.unzip();
            let y = self.clone().affine(&scale, &shift);
            return match activation {
                Activation::None => y,
                other => y.activated(other),
            };
        }
        let mut y = self.room(self.shape);
        batch_norm::forward(&self.values, &channels, h * w, least, &mut y);
        let nodes = [
            self.node,
            session.node(norm.weight),
            session.node(norm.bias),
        ];
        Self::result(session, &nodes, self.shape, y, || {
            let (x, shape, pool) = (self.values.clone(), self.shape, session.pool.clone());
            move |dy: Buffer, gradients: &mut Gradients| {
                let mut dx = pool.take(x.len());
                let [dw, db] = batch_norm::backward(
                    &x, &channels, shape, samples, &*ranks, least, &dy, &mut dx,
                );
                gradients.add(nodes[0], || dx);
                gradients.add(nodes[1], || dw);
                gradients.add(nodes[2], || db);
            }
        })
    }

    fn activated(&self, activation: Activation) -> Self {
        let slope = match activation {
            Activation::LeakyRelu(slope) => slope,
            Activation::Relu => 0.0,
            other => unreachable!("{other:?} by itself"),
        };
        let mut y = self.room(self.shape);
        let chunks = y.par_chunks_mut(CHUNK).zip(self.values.par_chunks(CHUNK));
        chunks.for_each(|(y, x)| {
            for (y, x) in y.iter_mut().zip(x) {
                *y = x.max(x * slope);
            }
        });
        let (node, y) = (self.node, Arc::new(y));
        Self::result(&self.session, &[node], self.shape, y.clone(), || {
            move |mut dy: Buffer, gradients: &mut Gradients| {
                // Of a plain ReLU the slope below is zero, and its output is zero there too.
                activation.backward_in_place(&y, &mut dy);
                gradients.add(node, || dy);
            }
        })
    }

    fn concat(parts: &[Self]) -> Self {
        let first = &parts[0];
        let [n, _, h, w] = first.shape;
        let plane = h * w;
        let counts: Vec<usize> = parts.iter().map(|part| part.shape[1]).collect();
        let shape = [n, counts.iter().sum(), h, w];
        let mut y = first.room(shape);
        let sources = (0..n).flat_map(|picture| {
            parts.iter().flat_map(move |part| {
                let len = part.shape[1] * plane;
                part.values[picture * len..][..len].chunks_exact(plane.max(1))
            })
        });
        let sources: Vec<&[f32]> = sources.collect();
        y.par_chunks_exact_mut(plane.max(1))
            .zip(sources)
            .for_each(|(to, from)| to.copy_from_slice(from));
        let nodes: Vec<Wanted> = parts.iter().map(|part| part.node).collect();
        let session = &first.session;
        Self::result(session, &nodes.clone(), shape, y, || {
            let pool = session.pool.clone();
            move |dy: Buffer, gradients: &mut Gradients| {
                let mut start = 0;
                for (node, count) in nodes.into_iter().zip(counts) {
                    gradients.add(node, || channels_of(&dy, shape, start, count, &pool));
                    start += count;
                }
            }
        })
    }

    fn plus(self, other: &Self) -> Self {
        self.sum(other, 1.0)
    }

    fn minus(self, other: &Self) -> Self {
        self.sum(other, -1.0)
    }

    fn affine(self, scale: &[f32], shift: &[f32]) -> Self {
        let (session, node, shape) = (self.session.clone(), self.node, self.shape);
        let plane = (shape[2] * shape[3]).max(1);
        let (scale, shift) = (scale.to_vec(), shift.to_vec());
        let by_plane = move |values: &mut Buffer, shift: &[f32]| {
            let planes = values.par_chunks_exact_mut(plane).enumerate();
            planes.for_each(|(i, values)| {
                let c = i % scale.len();
                values
                    .iter_mut()
                    .for_each(|v| *v = *v * scale[c] + shift[c]);
            });
        };
        let mut y = self.into_owned();
        by_plane(&mut y, &shift);
        Self::result(&session, &[node], shape, y, || {
            move |mut dy: Buffer, gradients: &mut Gradients| {
                by_plane(&mut dy, &vec![0.0; shift.len()]);
                gradients.add(node, || dy);
            }
        })
    }

    fn clamped(self, low: f32, high: f32) -> Self {
        let x = self.node.is_some().then(|| self.values.clone());
        self.mapped(
            move |v| v.clamp(low, high),
            move |dy| {
                let x = x.expect("kept where the gradient is wanted");
                elementwise::zip(
                    dy,
                    &x,
                    |dy, x| {
                        if (low..=high).contains(&x) { dy } else { 0.0 }
                    },
                );
            },
        )
    }

    // The transforms are orthogonal, so the gradient of each direction is the other one.
    fn haar(&self, zero: f32) -> Self {
        self.split(move |corners| hadamard(corners.map(|v| v - zero)), hadamard)
    }

    fn inverse_haar(&self, zero: f32) -> Self {
        self.join(move |bands| hadamard(bands).map(|v| v + zero), hadamard)
    }

    fn pixel_shuffle(&self) -> Self {
        self.join(|corners| corners, |corners| corners)
    }

    fn couple(self, update: &Self) -> Self {
        self.coupled(update, couple_value, Keeps::Input, couple_backward)
    }

    fn uncouple(self, update: &Self) -> Self {
        self.coupled(update, uncouple_value, Keeps::Output, uncouple_backward)
    }

    fn after_sum(&self, a: &Self, b: &Self) -> Self {
        let ([n, c, h, w], d) = (a.shape, self.shape[1]);
        let plane = h * w;
        let shape = [n, c + d, h, w];
        let mut y = self.room(shape);
        let [a_values, b_values, own] = [&a.values, &b.values, &self.values].map(|v| &***v);
        y.par_chunks_exact_mut(plane.max(1))
            .enumerate()
            .for_each(|(i, y)| {
                let (picture, channel) = (i / (c + d), i % (c + d));
                if channel < c {
                    let start = (picture * c + channel) * plane;
                    let terms = a_values[start..][..plane].iter();
                    let terms = terms.zip(&b_values[start..][..plane]);
                    for (y, (a, b)) in y.iter_mut().zip(terms) {
                        *y = a + b;
                    }
                } else {
                    let start = (picture * d + channel - c) * plane;
                    y.copy_from_slice(&own[start..][..plane]);
                }
            });
        let nodes = [a.node, b.node, self.node];
        let session = &self.session;
        Self::result(session, &nodes, shape, y, || {
            let pool = session.pool.clone();
            move |dy: Buffer, gradients: &mut Gradients| {
                for node in &nodes[..2] {
                    gradients.add(*node, || channels_of(&dy, shape, 0, c, &pool));
                }
                gradients.add(nodes[2], || channels_of(&dy, shape, c, d, &pool));
            }
        })
    }

    fn residual(&self, net: &ResidualNet) -> Self {
        let session = &self.session;
        if session.records() {
            return residual_by_layers(self, net);
        }
        let [n, _, h, w] = self.shape;
        let shape = [n, net.last.c_out, h, w];
        let mut y = self.room(shape);
        session.run_planned(net, self.shape, &self.values, &mut y);
        Self::new(session, shape, y)
    }
}

impl Differentiable for CpuTensor {
    fn constant(&self, shape: Shape, values: &[f32]) -> Self {
        Self::new(&self.session, shape, values.to_vec().into())
    }

    fn clamped_straight_through(self) -> Self {
        self.mapped(|v| v.clamp(0.0, 1.0), |_| {})
    }

    fn mean_square(&self) -> Self {
        let [n, c, h, w] = self.shape;
        let len = c * h * w;
        let pictures = self.values.par_chunks_exact(len.max(1));
        let means = pictures.map(|x| (elementwise::sum_of_squares(x) / len as f64) as f32);
        let means: Vec<f32> = means.collect();
        let node = self.node;
        Self::result(
            &self.session,
            &[node],
            [n, 1, 1, 1],
            Buffer::from(means),
            || {
                let (x, pool) = (self.values.clone(), self.session.pool.clone());
                move |dy: Buffer, gradients: &mut Gradients| {
                    gradients.add(node, || {
                        let mut dx = pool.take(x.len());
                        let pictures = dx.chunks_exact_mut(len).zip(x.chunks_exact(len));
                        for ((dx, x), dy) in pictures.zip(dy.iter()) {
                            let factor = 2.0 * dy / len as f32;
                            dx.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(
                                |(dx, x)| {
                                    dx.iter_mut().zip(x).for_each(|(dx, x)| *dx = factor * x);
                                },
                            );
                        }
                        dx
                    });
                }
            },
        )
    }

    fn square_means(&self, side: usize) -> Self {
        let [n, c, h, w] = self.shape;
        let (rows, columns) = (h / side, w / side);
        let shape = [n, c, rows, columns];
        let scale = 1.0 / (side * side) as f32;
        let mut y = self.room(shape);
        y.fill(0.0);
        let planes = y.chunks_exact_mut((rows * columns).max(1));
        for (y, x) in planes.zip(self.values.chunks_exact((h * w).max(1))) {
            for (row, x) in x.chunks_exact(w).take(rows * side).enumerate() {
                let y = &mut y[row / side * columns..][..columns];
                for (y, x) in y.iter_mut().zip(x.chunks_exact(side)) {
                    *y += scale * x.iter().sum::<f32>();
                }
            }
        }
        let (node, pool) = (self.node, self.session.pool.clone());
        Self::result(&self.session, &[node], shape, y, || {
            move |dy: Buffer, gradients: &mut Gradients| {
                gradients.add(node, || {
                    let mut dx = pool.take(n * c * h * w);
                    dx.fill(0.0);
                    let planes = dx.chunks_exact_mut((h * w).max(1));
                    for (dx, dy) in planes.zip(dy.chunks_exact((rows * columns).max(1))) {
                        for (row, dx) in dx.chunks_exact_mut(w).take(rows * side).enumerate() {
                            let dy = &dy[row / side * columns..][..columns];
                            for (dx, dy) in dx.chunks_exact_mut(side).zip(dy) {
                                dx.fill(scale * dy);
                            }
                        }
                    }
                    dx
                });
            }
        })
    }

    fn times(self, factor: f32) -> Self {
        self.mapped(
            move |v| v * factor,
            move |dy| elementwise::map(dy, |v| v * factor),
        )
    }

    fn ln(self) -> Self {
        let x = self.values.clone();
        self.mapped(f32::ln, move |dy| {
            elementwise::zip(dy, &x, |dy, x| dy / x);
        })
    }

    fn mean(&self) -> Self {
        let n = self.values.len();
        let sum: f64 = self.values.iter().map(|v| f64::from(*v)).sum();
        let node = self.node;
        let mean = vec![(sum / n as f64) as f32];
        Self::result(&self.session, &[node], [1; 4], Buffer::from(mean), || {
            move |dy: Buffer, gradients: &mut Gradients| {
                gradients.add(node, || vec![dy[0] / n as f32; n]);
            }
        })
    }

    fn to_vec(&self) -> Vec<f32> {
        self.values.to_vec()
    }
}
