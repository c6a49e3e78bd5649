-- Posts that the viewer may see and whose title, text or tags contain a word, invisible spaces left out.
SELECT p.id
  FROM posts p
  JOIN users a ON a.id = p."authorId"
 WHERE {VISIBLE}
   AND strpos(lower(replace(concat_ws(' ', p.title, p.content, array_to_string(p."topicTags", ' ')), U&'\200B', '')),
              %(word)s) > 0
