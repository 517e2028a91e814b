CREATE TABLE tags (name varchar(40) PRIMARY KEY);
