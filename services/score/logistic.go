package score

import "math"

// ridge keeps the weights of a fit small where few leads speak for them: it is
// the precision of a normal prior with mean 0 and deviation 1 on each weight.
const ridge = 1.0

// fit is a logistic regression that was learned: the likelihood of yes is
// 1/(1+exp(-(base + sum of the weights of the columns that hold))).
type fit struct {
	base    float64
	weights []float64
	// spread is the covariance of base and weights, in that order: the inverse of
	// the curvature at the maximum.
	spread [][]float64
}

// learn fits rows, each the columns that hold in it, by Newton's method. It is
// deterministic: no chance, and sums in the order of the rows.
func learn(rows [][]int, yes []bool, columns int) fit {
	d := columns + 1
	beta := make([]float64, d)
	var lower [][]float64
	last := math.Inf(-1)
	for range 100 {
		gradient, curvature, likelihood := derive(rows, yes, beta)
		lower = cholesky(curvature)
		step := solve(lower, gradient)
		size := 0.0
		for _, s := range step {
			size = max(size, math.Abs(s))
		}
		// A step that leads down is too long.
		scale := 1.0
		for range 30 {
			next := make([]float64, d)
			for j := range next {
				next[j] = beta[j] + scale*step[j]
			}
			if _, _, there := derive(rows, yes, next); there >= likelihood {
				beta, likelihood = next, there
				break
			}
			scale /= 2
		}
		if size < 1e-8 || likelihood-last < 1e-10 {
			break
		}
		last = likelihood
	}
	_, curvature, _ := derive(rows, yes, beta)
	return fit{base: beta[0], weights: beta[1:], spread: inverse(cholesky(curvature))}
}

// derive answers gradient, negative second derivative and value of the log
// likelihood with its prior.
func derive(rows [][]int, yes []bool, beta []float64) (gradient []float64, curvature [][]float64, value float64) {
	d := len(beta)
	gradient = make([]float64, d)
	curvature = make([][]float64, d)
	for i := range curvature {
		curvature[i] = make([]float64, d)
	}
	for i, row := range rows {
		z := beta[0]
		for _, c := range row {
			z += beta[c+1]
		}
		p := logistic(z)
		off := -p
		if yes[i] {
			off = 1 - p
			value -= softplus(-z)
		} else {
			value -= softplus(z)
		}
		w := p * (1 - p)
		gradient[0] += off
		curvature[0][0] += w
		for j, c := range row {
			gradient[c+1] += off
			curvature[0][c+1] += w
			curvature[c+1][0] += w
			for _, e := range row[:j+1] {
				curvature[c+1][e+1] += w
				if e != c {
					curvature[e+1][c+1] += w
				}
			}
		}
	}
	for j := 1; j < d; j++ {
		gradient[j] -= ridge * beta[j]
		curvature[j][j] += ridge
		value -= ridge * beta[j] * beta[j] / 2
	}
	// The base has no prior; this only keeps the matrix regular where all rows
	// are of one kind.
	curvature[0][0] += 1e-9
	return gradient, curvature, value
}

func logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// softplus is log(1+exp(z)).
func softplus(z float64) float64 {
	if z > 30 {
		return z
	}
	return math.Log1p(math.Exp(z))
}

// cholesky answers the lower triangle whose product with its mirror is m.
func cholesky(m [][]float64) [][]float64 {
	l := make([][]float64, len(m))
	for i := range m {
		l[i] = make([]float64, i+1)
		for j := range i + 1 {
			sum := m[i][j]
			for k := range j {
				sum -= l[i][k] * l[j][k]
			}
			if i == j {
				l[i][j] = math.Sqrt(max(sum, 1e-12))
			} else {
				l[i][j] = sum / l[j][j]
			}
		}
	}
	return l
}

func solve(l [][]float64, b []float64) []float64 {
	x := make([]float64, len(b))
	for i := range b {
		sum := b[i]
		for k := range i {
			sum -= l[i][k] * x[k]
		}
		x[i] = sum / l[i][i]
	}
	for i := len(b) - 1; i >= 0; i-- {
		for k := i + 1; k < len(b); k++ {
			x[i] -= l[k][i] * x[k]
		}
		x[i] /= l[i][i]
	}
	return x
}

func inverse(l [][]float64) [][]float64 {
	out := make([][]float64, len(l))
	for i := range out {
		e := make([]float64, len(l))
		e[i] = 1
		out[i] = solve(l, e)
	}
	return out
}

// platt fits likelihood = logistic(slope*z + shift) to scores and what became of
// them, with the targets that Platt gives to keep it from certainty (J. Platt,
// Probabilistic outputs for support vector machines, 1999; solved as by H.-T.
// Lin, C.-J. Lin and R. Weng, A note on Platt's probabilistic outputs, 2007).
func platt(z []float64, yes []bool) (slope, shift float64) {
	pos := 0.0
	for _, y := range yes {
		if y {
			pos++
		}
	}
	neg := float64(len(yes)) - pos
	high, low := (pos+1)/(pos+2), 1/(neg+2)
	value := func(a, b float64) float64 {
		sum := 0.0
		for i := range z {
			t := low
			if yes[i] {
				t = high
			}
			at := a*z[i] + b
			sum -= t*softplus(-at) + (1-t)*softplus(at)
		}
		return sum
	}
	slope, shift = 0, math.Log((pos+1)/(neg+1))
	here := value(slope, shift)
	for range 100 {
		var ga, gb, haa, hab, hbb float64
		for i := range z {
			t := low
			if yes[i] {
				t = high
			}
			p := logistic(slope*z[i] + shift)
			w := p * (1 - p)
			ga += (t - p) * z[i]
			gb += t - p
			haa += w * z[i] * z[i]
			hab += w * z[i]
			hbb += w
		}
		haa, hbb = haa+1e-9, hbb+1e-9
		det := haa*hbb - hab*hab
		da, db := (hbb*ga-hab*gb)/det, (haa*gb-hab*ga)/det
		moved := false
		for scale := 1.0; scale > 1e-9; scale /= 2 {
			if there := value(slope+scale*da, shift+scale*db); there > here {
				slope, shift, here, moved = slope+scale*da, shift+scale*db, there, true
				break
			}
		}
		if !moved || math.Abs(da)+math.Abs(db) < 1e-10 {
			break
		}
	}
	return slope, shift
}
