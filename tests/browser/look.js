// What is wrong with a page for people who see little, or use no mouse. Gives a list of sentences.
const wrong = [];
const visible = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
const name = (element) => `${element.tagName.toLowerCase()}${element.id ? "#" + element.id : ""}.${element.className} "${(element.textContent || element.value || "").trim().slice(0, 30)}"`;

if (!document.documentElement.lang) wrong.push("the page has no language");
if (!document.title) wrong.push("the page has no title");
if (document.querySelectorAll("main").length !== 1) wrong.push("the page has not one main part");
if (document.querySelectorAll("h1").length !== 1) wrong.push("the page has not one heading of the first level");
if (document.scrollingElement.scrollWidth > innerWidth) wrong.push(`the page is ${document.scrollingElement.scrollWidth} wide, and the window ${innerWidth}`);

const parse = (color) => {
  const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
  return { r, g, b, a };
};
const over = (top, below) => ({
  r: top.r * top.a + below.r * (1 - top.a),
  g: top.g * top.a + below.g * (1 - top.a),
  b: top.b * top.a + below.b * (1 - top.a),
  a: 1,
});
const ground = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((below, top) => over(top, below), { r: 255, g: 255, b: 255, a: 1 });
};
const light = ({ r, g, b }) => {
  const [red, green, blue] = [r, g, b].map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const contrast = (one, two) => {
  const [more, less] = [light(one), light(two)].sort((a, b) => b - a);
  return (more + 0.05) / (less + 0.05);
};

let texts = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || element.closest("script, style, option") || !visible(element)) continue;
  texts += 1;
  const below = ground(element);
  const found = contrast(over(parse(getComputedStyle(element).color), below), below);
  if (found < 4.5) wrong.push(`${name(element)} has a contrast of ${found.toFixed(2)}`);
}
if (texts === 0) wrong.push("the page has no text");

for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
  if (!field.labels.length && !field.getAttribute("aria-label")) wrong.push(`${name(field)} has no label`);
  if (visible(field)) {
    const below = ground(field);
    const found = contrast(parse(getComputedStyle(field).color), below);
    if (found < 4.5) wrong.push(`${name(field)} has a contrast of ${found.toFixed(2)}`);
    const border = contrast(parse(getComputedStyle(field).borderTopColor), ground(field.parentElement));
    if (border < 3) wrong.push(`${name(field)} has a border of contrast ${border.toFixed(2)}`);
  }
}
for (const button of document.querySelectorAll("button, a[href], summary")) {
  if (!button.textContent.trim() && !button.getAttribute("aria-label")) wrong.push(`${name(button)} says nothing`);
  const box = button.getBoundingClientRect();
  if (visible(button) && button.matches("button, .button, summary") && (box.height < 32 || box.width < 24)) wrong.push(`${name(button)} is ${box.width} by ${box.height}`);
}
for (const image of document.querySelectorAll("img")) {
  if (!image.alt) wrong.push("a picture has no text");
}
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`two elements are ${id}`);
return wrong;
