package lead

import "fmt"

// MinorDigits is how many decimals a currency has (ISO 4217), and whether the
// code can be one: three capital letters. Values are kept in minor units.
func MinorDigits(currency string) (digits int, ok bool) {
	if len(currency) != 3 {
		return 0, false
	}
	for _, c := range []byte(currency) {
		if c < 'A' || c > 'Z' {
			return 0, false
		}
	}
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0, true
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3, true
	}
	return 2, true
}

// Money is a value in minor units as people read it, such as "1234.50 EUR".
func Money(minor int64, currency string) string {
	digits, ok := MinorDigits(currency)
	if !ok {
		digits = 2
	}
	text := fmt.Sprintf("%0*d", digits+1, minor)
	if digits > 0 {
		text = text[:len(text)-digits] + "." + text[len(text)-digits:]
	}
	return text + " " + currency
}
