package accounts

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// drawn is letters of other alphabets that are drawn like a Latin one: each Latin letter, then those that pass for it. It
// holds what whole words can be made of to imitate somebody (Unicode UTS #39, confusables, the single letters of living
// alphabets); names that mix alphabets are refused before.
const drawn = `
a аɑαАΑᎪꓮⲀ
b ВΒᏴꓐЬьⲂ
c сСϲϹᏟꓚⲥⲤ
d ԁᎠꓓ
e еЕΕᎬꓰⲈ
f ꓝ
g ɡցᏀꓖԌ
h һհНΗᎻꓧⲎ
i іІıιΙᎥꓲⲒї
j јЈᎫꓙϳյ
k кКκΚᏦꓗⲔ
l ӏᏞꓡⳐւլ
m мМΜᎷꓟⲘ
n ոпηΝꓠⲚ
o оОοΟօՕꓳⲟⲞ
p рРρΡᏢꓑⲣⲢ
q ԛզգ
r гᎡꓣᏒ
s ѕЅՏᏚꓢ
t тТτΤᎢꓔⲦ
u υսՍꓴ
v νѵѴᏙꓦ
w ԝԜᎳꓪω
x хХχΧꓫⲭⲬ
y уУγΥүҮᎩꓬⲨ
z ΖᏃꓜⲌ
`

var latin = func() map[rune]rune {
	m := make(map[rune]rune)
	for l := range strings.Lines(strings.TrimSpace(drawn)) {
		like, letters, _ := strings.Cut(strings.TrimSpace(l), " ")
		for _, r := range letters {
			m[r] = rune(like[0])
		}
	}
	return m
}()

// look is what a name looks like: two that look alike have the same. It is made of the name as typed, for a capital is
// drawn otherwise than the small letter that names are compared by (Greek Η is an H, η an n).
func look(name string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if l, ok := latin[r]; ok {
			return l
		}
		return r
	}, norm.NFKC.String(name)))
}
