package intake

import "strings"

// maxEmployees bounds what is believed to be a number of employees.
const maxEmployees = 100_000_000

// Employees reads how many people a company employs. A band is its lower
// bound, so that a company is never taken for larger than it says: "51-200" is
// 51, "1.000+" is 1000, ">500" is 501, "<50" is 1. Dots, commas, apostrophes
// and spaces count as thousands separators where three digits follow.
func Employees(text string) (int64, bool) {
	s := strings.TrimSpace(fold(text))
	for _, p := range []string{"ca.", "ca", "circa", "about", "approx.", "approx", "around", "etwa", "rund", "~"} {
		if rest, ok := strings.CutPrefix(s, p); ok {
			s = strings.TrimSpace(rest)
			break
		}
	}
	upper, above := false, int64(0)
	for _, p := range []string{"<", "≤", "up to", "under", "less than", "fewer than", "bis zu", "bis", "unter", "weniger als", "max.", "max", "moins de"} {
		if rest, ok := strings.CutPrefix(s, p); ok {
			s, upper = strings.TrimLeft(rest, " ="), true
			break
		}
	}
	if !upper {
		for _, p := range []string{">=", "≥"} {
			if rest, ok := strings.CutPrefix(s, p); ok {
				s = strings.TrimSpace(rest)
				break
			}
		}
		for _, p := range []string{">", "more than", "over", "above", "mehr als", "uber", "plus de"} {
			if rest, ok := strings.CutPrefix(s, p); ok {
				s, above = strings.TrimSpace(rest), 1
				break
			}
		}
	}
	n, rest, ok := leadingNumber(s)
	if !ok || !endOfNumber(rest) {
		return 0, false
	}
	if upper {
		n, above = 1, 0
	}
	n += above
	if n < 1 || n > maxEmployees {
		return 0, false
	}
	return n, true
}

// endOfNumber says whether what follows a number leaves it one: nothing, a
// band, a plus, or words such as "employees".
func endOfNumber(rest string) bool {
	rest = strings.TrimSpace(rest)
	if rest == "" || rest == "+" || rest[0] == '+' {
		return true
	}
	if second, ok := cutRange(rest); ok {
		_, _, ok = leadingNumber(second)
		return ok
	}
	switch c := rest[0]; {
	case c >= 'a' && c <= 'z', c == '(':
		return true
	}
	return false
}

func cutRange(s string) (string, bool) {
	for _, dash := range []string{"-", "–", "—", "‐", "‑", "to ", "bis ", "a ", "..", "/"} {
		if rest, ok := strings.CutPrefix(s, dash); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, ".")), true
		}
	}
	return "", false
}

// leadingNumber reads a whole number in front of a text, with thousands
// separators, a fraction of zeros, or a k behind it.
func leadingNumber(s string) (n int64, rest string, ok bool) {
	i, digits := 0, 0
	for i < len(s) {
		if isDigit(s[i]) {
			if n = n*10 + int64(s[i]-'0'); n > maxEmployees*10 {
				return 0, "", false
			}
			digits++
			i++
			continue
		}
		width := separatorWidth(s[i:])
		if digits == 0 || digits > 3 || width == 0 || !threeDigits(s[i+width:]) {
			break
		}
		i += width
		for range 3 {
			if n = n*10 + int64(s[i]-'0'); n > maxEmployees*10 {
				return 0, "", false
			}
			i++
		}
	}
	if digits == 0 {
		return 0, "", false
	}
	rest = s[i:]
	if len(rest) > 1 && (rest[0] == '.' || rest[0] == ',') && isDigit(rest[1]) {
		end := 1
		for end < len(rest) && rest[end] == '0' {
			end++
		}
		if end < len(rest) && isDigit(rest[end]) {
			return 0, "", false
		}
		rest = rest[end:]
	}
	if strings.HasPrefix(rest, "k") && (len(rest) == 1 || !isWordByte(rest[1])) {
		n, rest = n*1000, rest[1:]
	}
	return n, rest, true
}

// separatorWidth is how many bytes of a thousands separator stand in front.
func separatorWidth(s string) int {
	for _, sep := range []string{".", ",", "'", "’", " ", "\u00a0", "\u202f"} {
		if strings.HasPrefix(s, sep) {
			return len(sep)
		}
	}
	return 0
}

func threeDigits(s string) bool {
	return len(s) >= 3 && isDigit(s[0]) && isDigit(s[1]) && isDigit(s[2]) && (len(s) == 3 || !isDigit(s[3]))
}
