package score

// Powers of two below one: halves[i] is 2^(-i/64), in units of 2^-30.
var halves = [65]int64{
	1073741824, 1062175491, 1050733751, 1039415261, 1028218693, 1017142735, 1006186087, 995347464,
	984625594, 974019220, 963527098, 953147997, 942880699, 932724001, 922676710, 912737649,
	902905651, 893179563, 883558244, 874040567, 864625413, 855311680, 846098274, 836984114,
	827968132, 819049271, 810226483, 801498734, 792865000, 784324269, 775875538, 767517817,
	759250125, 751071493, 742980960, 734977579, 727060411, 719228525, 711481005, 703816941,
	696235434, 688735596, 681316545, 673977412, 666717336, 659535466, 652430958, 645402981,
	638450708, 631573326, 624770026, 618040012, 611382493, 604796689, 598281827, 591837143,
	585461881, 579155293, 572916640, 566745190, 560640218, 554601009, 548626854, 542717053,
	536870912,
}

const one = int64(1) << 30

// Likelihood turns a sum of thousandths of a point into a likelihood per mille,
// in whole numbers: the logistic curve on odds that double with every Double.
// It rises with the sum, and is off the true curve by no more than 0.51 per
// mille, which is its rounding.
func Likelihood(sum int64) int32 {
	if sum <= -40*Double {
		return 0
	}
	if sum < 0 {
		return 1000 - Likelihood(-sum)
	}
	if sum >= 40*Double {
		return 1000
	}
	whole, rest := sum/Double, sum%Double
	at := rest * 64 / Double
	part := rest*64 - at*Double
	// Between two entries of the table in a straight line.
	low := halves[at] - (halves[at]-halves[at+1])*part/Double
	against := low >> whole
	return int32((2000*one/(one+against) + 1) / 2)
}
