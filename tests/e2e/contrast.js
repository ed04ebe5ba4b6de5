// The contrast of every text that is seen (WCAG 2.2, 1.4.3), plots aside: they have colours of their own.
() => {
  const channel = (value) => { value /= 255; return value <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const parsed = (text) => text.match(/[\d.]+/g).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const bar = at.classList.contains("chip") && at.querySelector(".bar");
      if (bar) return [parsed(getComputedStyle(bar).backgroundColor), parsed(getComputedStyle(at).backgroundColor)];
      const colour = parsed(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return [colour];
    }
    return [[255, 255, 255]];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest("script, style, .drawing, .bar")) continue;
    const colour = luminance(parsed(getComputedStyle(element).color));
    for (const ground of behind(element).map(luminance)) {
      const ratio = (Math.max(colour, ground) + .05) / (Math.min(colour, ground) + .05);
      found.push([ratio, node.data.trim().slice(0, 40), element.className]);
    }
  }
  return found;
}
